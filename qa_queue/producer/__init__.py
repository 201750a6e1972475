"""Submitting runs: everything is checked first, then recorded, then enqueued; all of it or nothing."""

from qa_queue.producer.jobs import JobRequest, QueueProducer, SubmittedJob
from qa_queue.producer.producer import JobProducer
from qa_queue.producer.requests import RunRequest, SubmittedBatch, SubmittedRun

__all__ = [
    "JobProducer",
    "JobRequest",
    "QueueProducer",
    "RunRequest",
    "SubmittedBatch",
    "SubmittedJob",
    "SubmittedRun",
]
