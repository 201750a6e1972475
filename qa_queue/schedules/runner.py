"""Serving the schedules that are due. Any number of processes may do so at the same time, and any of them may die.

A decision is written into the schedule's row, which succeeds for one process only (see `revision`). Its moments are
pending in the row until their start is confirmed, and every process that reads a pending moment starts it at once:
a start that is requested twice happens once (see `ScheduleStarter.start`). So there is no lock or lease of a dead
process that would have to expire.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.auth.tokens import Identity
from qa_queue.errors import ConflictError, InputError, NotFoundError, RedisUnavailableError
from qa_queue.models import utc_now
from qa_queue.redis import address_of, connection_of, explain
from qa_queue.schedules.policy import (
    ScheduleDecision,
    decide,
    depends_on_last,
    with_decision,
    with_next_run,
    with_start,
)
from qa_queue.schedules.registry import update
from qa_queue.schedules.spec import authorize
from qa_queue.schedules.starter import ScheduleStarter
from qa_queue.settings import Settings
from qa_queue.store.protocol import RunStore
from qa_queue.store.schedule_records import Overlap, ScheduleRecord

log = logging.getLogger(__name__)

_ROUNDS = 5  # of pages of due schedules in one turn
_AT_ONCE = 8


class ScheduleRunner:
    """Starts schedules that are due. `now` is the clock."""

    def __init__(
        self, connection: Redis, store: RunStore, settings: Settings, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._connection = connection
        self._store = store
        self._starter = ScheduleStarter(connection, store, settings)
        self._now = now

    def serve_due(self) -> int:
        """Serve every schedule that is due, and return the number of moments that were started.

        A schedule that cannot be started has the reason in its row and delays no other.

        Raises:
            RedisUnavailableError, StoreError: a part is unavailable; the next call continues.
        """
        started = 0
        for _ in range(_ROUNDS):
            schedules = self._store.schedules.list_due(self._now())
            if not schedules:
                break
            started += self._serve_all(schedules)
        return started

    def run_now(self, schedule: ScheduleRecord, *, by: Identity) -> ScheduleRecord:
        """Start a schedule at once, besides its moments, also while it is paused or busy, and return its row.

        The overlap policy `replace` cancels the runs of the last moment.

        Raises:
            NotFoundError: it does not exist.
            ForbiddenError: the caller may not start its jobs.
            RedisUnavailableError: Redis is unavailable; nothing was started.
            StoreError: the store failed; the next scheduler that reads the row starts what was decided.
        """
        with self._checked_redis(schedule):
            moment = self._now()

            def requested(row: ScheduleRecord) -> ScheduleRecord:
                authorize(row.queue, by.role)
                return with_next_run(row, moment, pending=(*row.pending, moment))

            return self.settle(update(self._store.schedules, schedule.id, requested))

    def settle(self, schedule: ScheduleRecord) -> ScheduleRecord:
        """Start the pending moments and confirm them; return the row after that.

        A moment that another process has confirmed meanwhile is not started again, and none of a removed row is:
        with the newer `last_...` of the row, the policy `replace` would cancel the run of that very moment.

        Raises:
            RedisError, InfrastructureError: a part is unavailable; unconfirmed moments stay pending.
        """
        current = schedule
        for moment in schedule.pending:
            if moment in current.pending:
                current = self._confirm(current, moment, self._begin(current, moment))
        return current

    def _serve_all(self, schedules: Sequence[ScheduleRecord]) -> int:
        """Serve schedules in parallel, because most of the time is spent waiting for the store."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="schedule") as pool:
            asked = [pool.submit(self._serve, schedule) for schedule in schedules]
        return sum(one.result() for one in asked)

    def _serve(self, schedule: ScheduleRecord) -> int:
        with self._checked_redis(schedule):
            try:
                return self._start_due(self.settle(schedule)) + len(schedule.pending)
            except ConflictError:  # others keep changing the row
                raise
            except InputError as error:
                self._stop(schedule, str(error))
                return 0

    @contextmanager
    def _checked_redis(self, schedule: ScheduleRecord) -> Iterator[None]:
        """Check Redis first: while it is unavailable nothing is decided, so that moments count as missed."""
        connection = connection_of(self._connection, schedule.queue)
        try:
            connection.ping()
            yield
        except RedisError as error:
            raise RedisUnavailableError(explain(error, address_of(connection))) from error

    def _start_due(self, schedule: ScheduleRecord) -> int:
        now = self._now()
        decision = decide(schedule, now, busy=depends_on_last(schedule) and self._starter.busy(schedule))
        if decision is None:
            self._reschedule(schedule, now)
            return 0
        row = with_decision(schedule, decision, now)
        if not self._store.schedules.replace(row):
            return 0
        _log_omitted(row, decision)
        self.settle(row.model_copy(update={"revision": row.revision + 1}))
        return len(decision.fires)

    def _reschedule(self, schedule: ScheduleRecord, now: datetime) -> None:
        """Write the next time of a row that was read too early, such as by a process whose clock is fast."""
        row = with_next_run(schedule, now)
        if row.next_run_at != schedule.next_run_at:
            self._store.schedules.replace(row)

    def _begin(self, schedule: ScheduleRecord, moment: datetime) -> dict[str, Any]:
        """Start a moment and return the `last_...` columns of the row."""
        try:
            if schedule.overlap is Overlap.REPLACE:
                self._starter.cancel_last(schedule)
            started = self._starter.start(schedule, moment)
        except InputError as error:
            log.warning("Schedule %s could not be started: %s", schedule.name, error)
            return {"last_error": str(error), "last_run_id": None, "last_batch_id": None}
        if started.fresh:
            log.info("Schedule %s started %s, due at %s", schedule.name, started.run_id, moment.isoformat())
        return {
            "last_run_id": started.run_id,
            "last_batch_id": started.batch_id,
            "last_error": started.note,
        }

    def _confirm(self, schedule: ScheduleRecord, moment: datetime, last: dict[str, Any]) -> ScheduleRecord:
        def confirmed(row: ScheduleRecord) -> ScheduleRecord:
            return with_start(row, moment, self._now(), **last) if moment in row.pending else row

        try:
            return update(self._store.schedules, schedule.id, confirmed, known=schedule)
        except NotFoundError:  # removed meanwhile
            return schedule.model_copy(update={"pending": (), "paused": True})

    def _stop(self, schedule: ScheduleRecord, reason: str) -> None:
        log.error("Schedule %s is stopped until it is changed: %s", schedule.name, reason)
        self._store.schedules.replace(with_next_run(schedule, self._now(), next_fire_at=None, last_error=reason))


def _log_omitted(row: ScheduleRecord, decision: ScheduleDecision) -> None:
    if decision.missed:
        log.warning("Schedule %s missed %d moments (at least)", row.name, decision.missed)
    if decision.skipped:
        log.info("Schedule %s skipped %d moments: an earlier one has not ended", row.name, decision.skipped)
