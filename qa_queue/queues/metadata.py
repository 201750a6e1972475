"""What a submitter says of a job, as it stands in the job's hash. Pure."""

from __future__ import annotations

import json
from typing import Any

from qa_queue.store.rows import mend


def read_metadata(text: str | bytes | None) -> dict[str, Any]:
    """The metadata; none where there is nothing, or nothing that can be read."""
    try:
        read = json.loads(text or "{}")
    except ValueError:
        return {}
    return mend(read) if isinstance(read, dict) else {}
