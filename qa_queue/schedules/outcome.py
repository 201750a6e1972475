"""What became of what schedules started last."""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis
from rq.job import Job, JobStatus

from qa_queue.batches.view import verdict_of
from qa_queue.redis import connection_of
from qa_queue.store.base import RunStore
from qa_queue.store.schedules import ScheduleRecord

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
