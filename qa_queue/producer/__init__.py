"""Submitting runs and jobs: validated first, then recorded, then enqueued; all of a submission or none."""

from qa_queue.producer.job_producer import QueueProducer
from qa_queue.producer.requests import JobRequest, RunRequest, SubmittedBatch, SubmittedJob, SubmittedRun
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
