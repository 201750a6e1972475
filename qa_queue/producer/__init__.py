"""Submitting runs: everything is checked first, then recorded, then enqueued; all of it or nothing."""

from qa_queue.producer.job_producer import JobRequest, QueueProducer, SubmittedJob
from qa_queue.producer.requests import RunRequest, SubmittedBatch, SubmittedRun
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
