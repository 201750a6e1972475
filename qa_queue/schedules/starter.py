"""Starting the jobs of a moment, once however often it is requested, and replacing those of an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from redis import Redis
from rq.job import Job

from qa_queue.auth.tokens import TokenStore
from qa_queue.errors import ForbiddenError
from qa_queue.models import QueueName, RunStatus
from qa_queue.producer.planning import ledger_entries
from qa_queue.queues import QueueManager
from qa_queue.queues.cancellation import cancel_runs, request_cancel
from qa_queue.queues.claims import EnqueueClaim
from qa_queue.redis import connection_of
from qa_queue.schedules.jobs import work_of
from qa_queue.schedules.spec import authorize
from qa_queue.settings import Settings
from qa_queue.store.protocol import RunStore
from qa_queue.store.schedule_records import ScheduleRecord

KEEP_S = 7 * 24 * 3600  # a moment is marked as started for so long, and for 24 h from the end of its job
_PENDING = "pending"
_MOST_RUNS = 1000  # of one moment
_UNFINISHED = (RunStatus.QUEUED, RunStatus.RUNNING)
_UNFINISHED_JOBS = (b"queued", b"scheduled", b"started", b"deferred")


@dataclass(frozen=True, kw_only=True)
class StartedMoment:
    """The first run or the job that a moment started, and the batch of its runs.

    `fresh` is False if it was started before. `note` is a warning.
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
        self._tokens = TokenStore(connection)
        self._queues = QueueManager(connection, settings)
        self._instance = settings.qa_instance

    def start(self, schedule: ScheduleRecord, moment: datetime) -> StartedMoment:
        """Start this moment unless it was started before, also if several processes ask at the same time.

        The rows of the runs are written first and have no effect yet. Then one atomic step in Redis enqueues all
        jobs and marks the moment as started; if it is marked already, that step does nothing.

        Raises:
            InputError: it cannot be started; another attempt would not help.
            ForbiddenError: the caller who last set the schedule may no longer start it.
            RedisError, InfrastructureError: a part failed; another attempt completes the start.
        """
        self._authorize(schedule)
        work = work_of(self._store, schedule, moment)
        own = connection_of(self._connection, work.queue)
        key = moment_key(schedule, moment)
        own.set(key, _PENDING, nx=True, ex=KEEP_S)
        if work.runs:
            self._store.save(ledger_entries(work.queue, work.jobs, moment, instance=self._instance))
        self._store.schedules.open_runs(work.runs)
        claim = EnqueueClaim(key=key, pending=_PENDING, final=f"started|{uuid4()}", keep_s=KEEP_S)
        fresh = self._queues.add_once(work.queue, [replace(job, claim=claim) for job in work.jobs])
        return StartedMoment(run_id=work.first_id, batch_id=work.batch_id, note=work.note, fresh=fresh)

    def busy(self, schedule: ScheduleRecord) -> bool:
        """Return whether jobs of the last moment have not ended; a run whose job Redis has lost does not count."""
        return bool(self._unfinished_jobs(schedule))

    def cancel_last(self, schedule: ScheduleRecord) -> None:
        """Cancel the jobs of the last moment that have not ended, waiting ones and running ones."""
        if schedule.last_batch_id is not None:
            reason = f"replaced by the next run of the schedule {schedule.name}"
            cancel_runs(self._connection, self._store, self._unfinished_runs(schedule.last_batch_id), reason)
        else:
            request_cancel(self._connection, self._unfinished_jobs(schedule))

    def _authorize(self, schedule: ScheduleRecord) -> None:
        """Check the token of the caller who last set the schedule as it is now."""
        if schedule.token_id is None:
            return
        caller = self._tokens.holder(schedule.token_id)
        if caller is None:
            raise ForbiddenError(
                f"the token {schedule.token_id}, which last set this schedule, was revoked or has expired: "
                "change the schedule with another token or `qa-queue schedule edit`."
            )
        authorize(schedule.queue, caller.role)

    def _unfinished_runs(self, batch_id: str) -> list[str]:
        runs = self._store.list_runs(batch_id=batch_id, statuses=_UNFINISHED, limit=_MOST_RUNS)
        return [run.id for run in runs]

    def _unfinished_jobs(self, schedule: ScheduleRecord) -> list[str]:
        if schedule.last_batch_id is not None:
            return self._unfinished(QueueName.TEST_EXECUTION, self._unfinished_runs(schedule.last_batch_id))
        return self._unfinished(schedule.queue, [schedule.last_run_id] if schedule.last_run_id else [])

    def _unfinished(self, queue: str, job_ids: Sequence[str]) -> list[str]:
        pipeline = connection_of(self._connection, queue).pipeline(transaction=False)
        for job_id in job_ids:
            pipeline.hget(Job.key_for(job_id), "status")
        statuses = zip(job_ids, pipeline.execute(), strict=True)
        return [job_id for job_id, status in statuses if status in _UNFINISHED_JOBS]


def moment_key(schedule: ScheduleRecord, moment: datetime) -> str:
    """Return the key that marks a moment as started."""
    return f"qa:schedule:{schedule.id}:{moment.timestamp():.6f}"
