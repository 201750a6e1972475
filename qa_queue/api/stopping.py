"""Cancelling runs, with their rows."""

from __future__ import annotations

from collections.abc import Sequence

from qa_queue.queues.cancellation import CancelOutcome, cancel_runs
from qa_queue.services import Backend


def cancel(backend: Backend, run_ids: Sequence[str], reason: str) -> dict[str, CancelOutcome]:
    """Cancel runs: one that waits ends here and now, with its row; a running one is told to stop."""
    return cancel_runs(backend.redis, backend.store, run_ids, reason)
