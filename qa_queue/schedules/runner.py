"""Serving the schedules that are due. Any number of processes may do it at once, and any of them may die.

A decision is taken by writing it into the schedule's row, which succeeds for one process only (see `revision`).
What was decided stands there as pending until its start has been confirmed, and whoever meets a pending moment
starts it at once: a start that is asked for twice is done once (see `ScheduleStarter.start`). So nothing waits for
a lock or a lease of a dead process.
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
from qa_queue.errors import InputError, NotFoundError, RedisUnavailableError
from qa_queue.models import utc_now
from qa_queue.redis import address_of, connection_of, explain
from qa_queue.schedules.policy import awake, claimed, due, needs_busy, settled
from qa_queue.schedules.registry import changed
from qa_queue.schedules.spec import authorize
from qa_queue.schedules.starter import ScheduleStarter
from qa_queue.settings import Settings
from qa_queue.store.protocol import RunStore
from qa_queue.store.schedule_records import Overlap, ScheduleRecord

log = logging.getLogger(__name__)

_ROUNDS = 5  # of pages of due schedules in one turn
_AT_ONCE = 8


class ScheduleRunner:
    """Starts what is due. `now` is the clock."""

    def __init__(
        self, connection: Redis, store: RunStore, settings: Settings, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._connection = connection
        self._store = store
        self._starter = ScheduleStarter(connection, store, settings)
        self._now = now

    def serve_due(self) -> int:
        """Serve every schedule whose time has come; returns how many moments it started.

        A schedule that cannot be started says so in its row and holds up no other.

        Raises:
            RedisUnavailableError, StoreError: a part is away; nothing is lost, the next turn goes on.
        """
        started = 0
        for _ in range(_ROUNDS):
            schedules = self._store.schedules.list_due(self._now())
            if not schedules:
                break
            started += self._serve_all(schedules)
        return started

    def run_now(self, schedule: ScheduleRecord, *, by: Identity) -> ScheduleRecord:
        """Start a schedule at once, besides its moments, also a paused one, and whatever still runs; the policy
        `replace` cancels the run before. Returns the row as it stands then.

        Raises:
            NotFoundError: it is gone.
            ForbiddenError: the caller may not start its jobs.
            RedisUnavailableError: Redis is away; nothing was started.
            StoreError: the store failed; what was decided is started by the next scheduler that meets it.
        """
        with self._explained(schedule):
            moment = self._now()

            def requested(row: ScheduleRecord) -> ScheduleRecord:
                authorize(row.queue, by.role)
                return awake(row, moment, pending=(*row.pending, moment))

            return self.settle(changed(self._store.schedules, schedule.id, requested))

    def settle(self, schedule: ScheduleRecord) -> ScheduleRecord:
        """Start what is pending and confirm it; returns the row as it stands then.

        What another process has confirmed meanwhile is left alone, and so is all of a row that is gone: with the
        row's newer `last_...` the policy `replace` would cancel the very run of such a moment.

        Raises:
            RedisError, InfrastructureError: a part is away; what is pending stays so.
        """
        current = schedule
        for moment in schedule.pending:
            if moment in current.pending:
                current = self._confirm(current, moment, self._begin(current, moment))
        return current

    def _serve_all(self, schedules: Sequence[ScheduleRecord]) -> int:
        """Side by side, since most of the time goes by waiting for the store."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="schedule") as pool:
            asked = [pool.submit(self._guarded, schedule) for schedule in schedules]
        return sum(one.result() for one in asked)

    def _guarded(self, schedule: ScheduleRecord) -> int:
        with self._explained(schedule):
            return self._serve(schedule)

    @contextmanager
    def _explained(self, schedule: ScheduleRecord) -> Iterator[None]:
        """While Redis is away nothing is decided, so that missed moments are seen as such."""
        connection = connection_of(self._connection, schedule.queue)
        try:
            connection.ping()
            yield
        except RedisError as error:
            raise RedisUnavailableError(explain(error, address_of(connection))) from error

    def _serve(self, schedule: ScheduleRecord) -> int:
        started = len(schedule.pending)
        schedule = self.settle(schedule)
        now = self._now()
        try:
            decision = due(schedule, now, busy=needs_busy(schedule) and self._starter.busy(schedule))
        except (InputError, OverflowError) as error:  # the second: dates at the ends of the calendar
            self._give_up(schedule, str(error))
            return started
        if decision is None:
            self._sleep(schedule, now)
            return started
        row = claimed(schedule, decision, now)
        if self._store.schedules.replace(row):
            self._tell(row, decision.skipped, decision.missed)
            self.settle(row.model_copy(update={"revision": row.revision + 1}))
            started += len(decision.fires)
        return started

    def _sleep(self, schedule: ScheduleRecord, now: datetime) -> None:
        """A row that was looked at before its time, such as by a clock that runs ahead, waits for its own."""
        row = awake(schedule, now)
        if row.next_run_at != schedule.next_run_at:
            self._store.schedules.replace(row)

    def _begin(self, schedule: ScheduleRecord, moment: datetime) -> dict[str, Any]:
        """Start a moment; returns what the row says of it."""
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
            return settled(row, moment, self._now(), **last) if moment in row.pending else row

        try:
            return changed(self._store.schedules, schedule.id, confirmed, known=schedule)
        except NotFoundError:  # removed meanwhile
            return schedule.model_copy(update={"pending": (), "paused": True})

    def _give_up(self, schedule: ScheduleRecord, why: str) -> None:
        log.error("Schedule %s is stopped until it is changed: %s", schedule.name, why)
        self._store.schedules.replace(awake(schedule, self._now(), next_fire_at=None, last_error=why))

    def _tell(self, row: ScheduleRecord, skipped: int, missed: int) -> None:
        if missed:
            log.warning("Schedule %s missed %d moments (at least)", row.name, missed)
        if skipped:
            log.info("Schedule %s skipped %d moments: an earlier one has not ended", row.name, skipped)
