"""What is on the queues."""

from __future__ import annotations

from fastapi import APIRouter

from qa_queue.api.access import Reader
from qa_queue.api.answers import answers
from qa_queue.api.backend import Backend
from qa_queue.api.shapes import QueueCounts, Stats
from qa_queue.models import utc_now


def router(backend: Backend) -> APIRouter:
    """The operations on queues."""
    routes = APIRouter(prefix="/queue", tags=["queue"])

    @routes.get("/stats", responses=answers(), summary="Count the jobs")
    def get_stats(_: Reader) -> Stats:
        """Jobs on all queues together; reading changes nothing."""
        queues = backend.queues.get_queue_stats().values()
        waiting, processing = sum(q.waiting for q in queues), sum(q.processing for q in queues)
        delayed, dead = sum(q.delayed for q in queues), sum(q.failed for q in queues)
        counts = QueueCounts(
            waiting=waiting,
            processing=processing,
            dlq=dead,
            delayed=delayed,
            total=waiting + processing + delayed + dead,
        )
        return Stats(status="healthy", stats=counts, timestamp=utc_now())

    return routes
