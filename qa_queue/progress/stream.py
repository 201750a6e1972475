"""The stream `progress:<run_id>`: one entry a report, with the field `event` that holds the report as JSON."""

from __future__ import annotations

import html
from typing import Any

from qa_queue.models import JobProgress

KEEP_S = 24 * 3600
MAX_EVENTS = 10_000  # of one run; Redis trims whole blocks, so a few more may stand
EVENTS_KEY = "qa:events"  # the stream of what happens on all queues
MOST_EVENTS = 20_000  # in that
FIELD = b"event"
_PREFIX = "progress:"


def stream_key(run_id: str) -> str:
    """The name of a run's stream."""
    return f"{_PREFIX}{run_id}"


def run_of(key: bytes) -> str:
    """The run of a stream's name."""
    return key.decode().removeprefix(_PREFIX)


def encode(progress: JobProgress) -> str:
    """A report as the text of a stream entry."""
    return progress.model_dump_json()


def decode(fields: dict[bytes, bytes]) -> JobProgress:
    """The report of a stream entry."""
    return JobProgress.model_validate_json(fields[FIELD])


def meta_document(progress: JobProgress) -> dict[str, Any]:
    """A report as the job's meta shows it: for eyes only, in rq-dashboard, which does not escape it.

    Texts can come from the site under test, so they are HTML-escaped here; programs read the stream.
    """
    step = progress.step_data
    return {
        "status": progress.status.value,
        "step": f"{progress.current_step}/{progress.total_steps}",
        "percentage": progress.percentage,
        "message": html.escape(progress.message),
        "action": html.escape(step.action) if step else "",
        "error": html.escape(step.error or "") if step else "",
    }
