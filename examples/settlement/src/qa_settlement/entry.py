"""The function that the queue's jobs name. qa-queue's workers run the processor; a plain `rq worker` calls this."""

from __future__ import annotations

from typing import Any

from processors import perform


def settle(data: dict[str, Any]) -> dict[str, Any]:
    """Post a settlement; `data` is a `Settlement`, the result a `Settled`, both as JSON."""
    return perform("qa_settlement.entry.settle", data)
