"""Submitting runs and jobs: validated first, then recorded, then enqueued; all of a submission or none.

The producers are imported when they are first used: what only checks a request needs neither Redis nor a store.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qa_queue.producer.requests import JobRequest, RunRequest, SubmittedBatch, SubmittedJob, SubmittedRun

if TYPE_CHECKING:
    from qa_queue.producer.job_producer import QueueProducer
    from qa_queue.producer.run_producer import JobProducer

__all__ = [
    "JobProducer",
    "JobRequest",
    "QueueProducer",
    "RunRequest",
    "SubmittedBatch",
    "SubmittedJob",
    "SubmittedRun",
]

_PRODUCERS = {"JobProducer": "run_producer", "QueueProducer": "job_producer"}


def __getattr__(name: str) -> Any:
    if name not in _PRODUCERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PRODUCERS[name]}"), name)
