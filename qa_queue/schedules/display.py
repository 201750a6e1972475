"""Schedules for people: texts for tables, local times, and the outcomes of their last starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from redis import Redis
from rq.job import Job, JobStatus
from rq.utils import as_text

from qa_queue.errors import InputError
from qa_queue.models import QueueName, RunStatus
from qa_queue.models.outcomes import BatchVerdict, verdict_of
from qa_queue.redis import connection_of
from qa_queue.schedules.times import zone_of
from qa_queue.store.protocol import RunStore
from qa_queue.store.schedule_records import ScheduleRecord

NOT_STARTED = "not started"
_VERDICTS = {
    JobStatus.FINISHED: BatchVerdict.PASSED,
    JobStatus.FAILED: BatchVerdict.BROKEN,
    JobStatus.STOPPED: BatchVerdict.BROKEN,
    JobStatus.CANCELED: BatchVerdict.CANCELLED,
}


def timing_text(schedule: ScheduleRecord) -> str:
    """Return its times, such as `every 15m` or `30 2 * * mon-fri`."""
    return f"every {schedule.every}" if schedule.every else schedule.cron or ""


def work_text(schedule: ScheduleRecord) -> str:
    """Return a description of the runs or the job that it starts."""
    if schedule.queue != QueueName.TEST_EXECUTION:
        return f"a job of {schedule.queue}"
    if schedule.tag is not None:
        return f"cases tagged {schedule.tag}"
    return f"{len(schedule.cases)} case{'' if len(schedule.cases) == 1 else 's'}"


def local_time(schedule: ScheduleRecord, moment: datetime) -> datetime:
    """Return a moment in the zone of a schedule; in UTC if the zone is unknown or cannot represent it."""
    try:
        return moment.astimezone(zone_of(schedule.time_zone))
    except (InputError, OverflowError):
        return moment


def last_outcomes(connection: Redis, store: RunStore, schedules: Sequence[ScheduleRecord]) -> dict[str, str]:
    """Return the outcome of each schedule's last start by its id.

    An outcome is `running`, `passed`, `failed`, `broken` or `cancelled`, or `not started` if the start failed. A
    schedule without a start, or whose last runs were deleted, is left out.

    Raises:
        StoreError, RedisError: a part failed.
    """
    batches = [one.last_batch_id for one in schedules if one.last_batch_id]
    statuses = store.schedules.statuses(batches) if batches else {}
    outcomes = {one.id: _outcome(connection, one, statuses) for one in schedules}
    return {schedule_id: outcome for schedule_id, outcome in outcomes.items() if outcome is not None}


def _outcome(
    connection: Redis, schedule: ScheduleRecord, statuses: Mapping[str, Mapping[RunStatus, int]]
) -> str | None:
    if schedule.last_batch_id is not None:
        batch = statuses.get(schedule.last_batch_id)
        return verdict_of(batch).value if batch else None
    if schedule.last_run_id is not None:
        return _outcome_of_job(connection_of(connection, schedule.queue), schedule.last_run_id)
    return NOT_STARTED if schedule.last_error else None


def _outcome_of_job(connection: Redis, job_id: str) -> str | None:
    status = connection.hget(Job.key_for(job_id), "status")
    return _VERDICTS.get(JobStatus(as_text(status)), BatchVerdict.RUNNING).value if status else None
