"""Telling what happens to jobs: events, durations for estimates, limits freed, the end of idempotency claims.

News, not record: what Redis refuses is dropped, and never holds up a job's books.
"""

from __future__ import annotations

import logging
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.attempts import ERROR_LENGTH
from qa_queue.models import utc_now
from qa_queue.priorities import Event, note
from qa_queue.worker.messages import Failure
from qa_queue.worker.slots import Slot

log = logging.getLogger(__name__)


class News:
    """Tells of the jobs of one worker."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def active(self, slot: Slot) -> None:
        """An attempt has started."""
        self._tell(slot, "active", {"worker": slot.context.worker})

    def completed(self, slot: Slot, result: Any) -> None:
        """A job has ended with a result."""
        started = slot.context.started_at
        ran_ms = round((utc_now() - started).total_seconds() * 1000) if started else None
        status = result.get("status") if isinstance(result, dict) else None
        self._tell(slot, "completed", {"status": status, "ran_ms": ran_ms}, ran_ms=ran_ms)

    def failed(self, slot: Slot, failure: Failure, *, again: bool) -> None:
        """An attempt has failed; `again` when another one follows, else the job is a dead letter."""
        data = {"error": failure.message[:ERROR_LENGTH], "kind": failure.kind.value}
        self._tell(slot, "failed", data)
        self._tell(slot, "retrying" if again else "dead", data)

    def _tell(self, slot: Slot, event: Event, data: dict[str, Any], *, ran_ms: int | None = None) -> None:
        context = slot.context
        try:
            numbered = {"attempt": context.attempt} | data
            note(self._connection, context.queue, context.job_id, event, numbered, ran_ms=ran_ms)
        except RedisError as error:
            log.debug("That job %s is %s is not told: %s", context.job_id, event, error)
