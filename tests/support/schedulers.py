"""Scheduler processes for tests, and the runs and jobs that they started."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from redis import Redis

from qa_queue.models import QueueName
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import RunRecord
from qa_queue.store.schedule_records import ScheduleRecord
from tests.support.processes import ServiceProcess

SCHEDULER = "qa_queue.worker.scheduler"


class SchedulerProcess(ServiceProcess):
    """`python -m qa_queue.worker.scheduler`; a warning of Python ends it."""

    def __init__(self, log: Path, **settings: str) -> None:
        super().__init__(log, sys.executable, "-W", "error", "-m", SCHEDULER, env=settings, forked=SCHEDULER)


def runs_of(store: RunStore, schedule: ScheduleRecord) -> list[RunRecord]:
    """Return the rows of the runs that a schedule started, the oldest first."""
    return store.list_runs(user_id=f"schedule:{schedule.name}", limit=1000, oldest_first=True)


def jobs_of(connection: Redis, runs: Iterable[RunRecord]) -> list[str]:
    """Return the ids of the waiting jobs of these runs, sorted.

    A scheduler also restores the waiting runs that other tests left in the shared Supabase and that its Redis
    does not have.
    """
    ids = {run.id for run in runs}
    return sorted(job_id for job_id in jobs_on(connection) if job_id in ids)


def jobs_on(connection: Redis, queue: str = QueueName.TEST_EXECUTION) -> list[str]:
    """Return the ids of the jobs that wait on a queue."""
    return [job_id.decode() for job_id in connection.lrange(f"rq:queue:{queue}", 0, -1)]
