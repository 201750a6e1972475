"""What became of what schedules started last.

Starting what a moment stands for, as often as it is asked for and yet once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from redis import Redis
from rq.job import Job, JobStatus

from qa_queue.models import QueueName, RunStatus
from qa_queue.models.outcomes import verdict_of
from qa_queue.queues import QueueManager
from qa_queue.queues.cancellation import cancel_runs, request_cancel
from qa_queue.queues.enqueue import EnqueueClaim
from qa_queue.redis import connection_of
from qa_queue.schedules.jobs import work_of
from qa_queue.settings import Settings
from qa_queue.store.protocol import RunStore
from qa_queue.store.schedule_records import ScheduleRecord

NOT_STARTED = "not started"
_OF_JOBS = {
    JobStatus.FINISHED: "passed",
    JobStatus.FAILED: "broken",
    JobStatus.STOPPED: "broken",
    JobStatus.CANCELED: "cancelled",
}


def last_outcomes(connection: Redis, store: RunStore, schedules: Sequence[ScheduleRecord]) -> dict[str, str]:
    """By the schedule's id: `running`, `passed`, `failed`, `broken`, `cancelled`, or `not started` where the last
    moment could not be. A schedule that has started nothing yet, or whose last runs were cleaned up, is left out.

    Raises:
        StoreError, RedisError: a part failed.
    """
    batches = [one.last_batch_id for one in schedules if one.last_batch_id]
    counts = store.schedules.statuses(batches) if batches else {}
    found: dict[str, str] = {}
    for one in schedules:
        if batch := counts.get(one.last_batch_id or ""):
            found[one.id] = verdict_of(batch).value
        elif one.last_run_id and not one.last_batch_id:
            found |= _of_job(connection, one)
        elif one.last_error and not one.last_run_id:
            found[one.id] = NOT_STARTED
    return found


def _of_job(connection: Redis, schedule: ScheduleRecord) -> dict[str, str]:
    own = connection_of(connection, schedule.queue)
    status = own.hget(Job.key_for(schedule.last_run_id or ""), "status")
    if status is None:
        return {}
    text = status.decode() if isinstance(status, bytes) else str(status)
    return {schedule.id: _OF_JOBS.get(JobStatus(text), "running")}


KEEP_S = 7 * 24 * 3600  # that a moment is known as started; 24 h from the end of its job
_PENDING = "pending"
_MOST = 1000  # runs of one moment that are looked at
_GOING_ON = (RunStatus.QUEUED, RunStatus.RUNNING)


@dataclass(frozen=True, kw_only=True)
class StartedMoment:
    """What a moment started: its run (of several, the first) or its job, and the batch of its runs.

    `fresh` is False when it had been started before.
    """

    run_id: str
    batch_id: str | None
    note: str | None
    fresh: bool


class ScheduleStarter:
    """Starts the moments of schedules."""

    def __init__(self, connection: Redis, store: RunStore, settings: Settings) -> None:
        self._connection = connection
        self._store = store
        self._queues = QueueManager(connection, settings)

    def start(self, schedule: ScheduleRecord, moment: datetime) -> StartedMoment:
        """Start this moment, unless it was started before: whoever asks, and however many do at once.

        The rows come first and harm nobody. Then one atomic step in Redis enqueues all jobs and marks the moment as
        started; where it is marked already, that step does nothing.

        Raises:
            InputError: it cannot be started; asking again does not help.
            RedisError, InfrastructureError: a part failed; asking again completes what was begun.
        """
        work = work_of(self._store, schedule, moment)
        own = connection_of(self._connection, work.queue)
        key = moment_key(schedule, moment)
        own.set(key, _PENDING, nx=True, ex=KEEP_S)
        self._store.schedules.open_runs(work.runs)
        claim = EnqueueClaim(key=key, pending=_PENDING, final=f"started|{uuid4()}", keep_s=KEEP_S)
        fresh = self._queues.add_once(work.queue, [replace(job, claim=claim) for job in work.jobs])
        return StartedMoment(run_id=work.first_id, batch_id=work.batch_id, note=work.note, fresh=fresh)

    def busy(self, schedule: ScheduleRecord) -> bool:
        """Whether what the last moment started has not ended; a run whose job Redis has lost does not count."""
        return bool(self._living(schedule))

    def cancel_last(self, schedule: ScheduleRecord) -> None:
        """Cancel what the last moment started and has not ended: what waits never starts, what runs is told."""
        if schedule.last_batch_id is not None:
            reason = f"replaced by the next run of the schedule {schedule.name}"
            cancel_runs(self._connection, self._store, self._going_on(schedule.last_batch_id), reason)
        else:
            request_cancel(self._connection, self._living(schedule))

    def _going_on(self, batch_id: str) -> list[str]:
        runs = self._store.list_runs(batch_id=batch_id, statuses=_GOING_ON, limit=_MOST)
        return [run.id for run in runs]

    def _living(self, schedule: ScheduleRecord) -> list[str]:
        if schedule.last_batch_id is not None:
            return self._alive(QueueName.TEST_EXECUTION, self._going_on(schedule.last_batch_id))
        return self._alive(schedule.queue, [schedule.last_run_id] if schedule.last_run_id else [])

    def _alive(self, queue: str, job_ids: list[str]) -> list[str]:
        pipeline = connection_of(self._connection, queue).pipeline(transaction=False)
        for job_id in job_ids:
            pipeline.hget(Job.key_for(job_id), "status")
        living = (b"queued", b"scheduled", b"started", b"deferred")
        return [job_id for job_id, status in zip(job_ids, pipeline.execute(), strict=True) if status in living]


def moment_key(schedule: ScheduleRecord, moment: datetime) -> str:
    """The key that says whether a moment was started."""
    return f"qa:schedule:{schedule.id}:{moment.timestamp():.6f}"
