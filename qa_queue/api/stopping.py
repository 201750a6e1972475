"""Cancelling runs, with their rows."""

from __future__ import annotations

from collections.abc import Sequence

from qa_queue.api.backend import Backend
from qa_queue.cancel import CancelOutcome, request_cancel
from qa_queue.models import ErrorKind, RunStatus, utc_now


def cancel(backend: Backend, run_ids: Sequence[str], reason: str) -> dict[str, CancelOutcome]:
    """Cancel runs: one that waits ends here and now, with its row; a running one is told to stop."""
    outcomes = request_cancel(backend.redis, run_ids)
    for run_id, outcome in outcomes.items():
        if outcome is CancelOutcome.REMOVED:
            backend.store.update_run(
                run_id,
                status=RunStatus.CANCELLED,
                error=reason,
                error_kind=ErrorKind.CANCELLED,
                finished_at=utc_now(),
            )
    return outcomes
