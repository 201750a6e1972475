"""Making a run again, as it was made the first time."""

from __future__ import annotations

from qa_queue.producer import RunRequest, rerun
from qa_queue.producer.rerun import worth_again
from qa_queue.services import Backend
from qa_queue.store.records import RunRecord

__all__ = ["rerun_request", "worth_again"]


def rerun_request(backend: Backend, run: RunRecord, user: str, env: dict[str, str]) -> RunRequest:
    """A request for the run's case as it is now; see `qa_queue.producer.rerun`."""
    return rerun.rerun_request(backend.redis, backend.store, run, user, env)
