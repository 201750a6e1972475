"""Telling what happens to jobs: events, durations for estimates, limits freed, the end of idempotency claims.

News, not record: what Redis refuses is dropped, and never holds up a job's books.
"""

from __future__ import annotations

import logging
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.models import RunStatus, utc_now
from qa_queue.models.outcomes import FAILURES
from qa_queue.queues.attempts import ERROR_LENGTH
from qa_queue.queues.notes import Event, note
from qa_queue.redis.counters import EndedRun
from qa_queue.worker.ipc import ChildFailure
from qa_queue.worker.slots import Slot

log = logging.getLogger(__name__)


class JobEvents:
    """Tells of the jobs of one worker."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def active(self, slot: Slot) -> None:
        """An attempt has started."""
        self._tell(slot, "active", {"worker": slot.context.worker})

    def completed(self, slot: Slot, result: Any) -> None:
        """A job has ended with a result."""
        ran_ms = _ran_ms(slot)
        status = result.get("status") if isinstance(result, dict) else None
        ended = EndedRun(outcome=_outcome(status), ran_ms=ran_ms or 0)
        self._tell(slot, "completed", {"status": status, "ran_ms": ran_ms}, ran_ms=ran_ms, ended=ended)

    def failed(self, slot: Slot, failure: ChildFailure, *, again: bool) -> None:
        """An attempt has failed; `again` when another one follows, else the job is a dead letter."""
        data = {"error": failure.message[:ERROR_LENGTH], "kind": failure.kind.value}
        self._tell(slot, "failed", data)
        if again:
            self._tell(slot, "retrying", data)
        else:
            ended = EndedRun(outcome=FAILURES[failure.kind].status.value, ran_ms=_ran_ms(slot) or 0)
            self._tell(slot, "dead", data, ended=ended)

    def _tell(
        self,
        slot: Slot,
        event: Event,
        data: dict[str, Any],
        *,
        ran_ms: int | None = None,
        ended: EndedRun | None = None,
    ) -> None:
        context = slot.context
        try:
            numbered = {"attempt": context.attempt} | data
            note(self._connection, context.queue, context.job_id, event, numbered, ran_ms=ran_ms, ended=ended)
        except RedisError as error:
            log.debug("That job %s is %s is not told: %s", context.job_id, event, error)


def _ran_ms(slot: Slot) -> int | None:
    started = slot.context.started_at
    return max(0, round((utc_now() - started).total_seconds() * 1000)) if started else None


def _outcome(status: object) -> str:
    """A result's status, as far as it is one of ours: whatever else a processor returns would be a label each."""
    return str(status) if status in list(RunStatus) else RunStatus.COMPLETED.value
