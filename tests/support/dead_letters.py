"""Dead letters for tests: jobs that die as under RQ's workers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from redis import Redis
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from qa_queue.models import ATTEMPT_FIELD, utc_now
from qa_queue.queues.attempts import AttemptFailure, AttemptLog
from qa_queue.store.memory import MemoryStore
from tests.support.queueing import QUEUE, add_specs, job_spec, manager
from tests.support.records import case_record, finished_run


def bury(connection: Redis, run_id: str, *, attempts: int = 3, queue: str = QUEUE, **fields: Any) -> None:
    """Submit a run and let it fail all its attempts, a minute ago."""
    if queue == QUEUE:
        add_specs(connection, job_spec(run_id, name=f"Case {run_id}", attempts=attempts))
    let_die(connection, run_id, attempts=attempts, queue=queue, **fields)


def let_die(connection: Redis, run_id: str, *, attempts: int = 3, queue: str = QUEUE, kind: str = "") -> None:
    """Let a waiting job fail `attempts` more attempts and end as RQ's workers end it."""
    died = utc_now() - timedelta(minutes=1)
    for _ in range(attempts):
        number = connection.hincrby(f"rq:job:{run_id}", ATTEMPT_FIELD, 1)
        failure = AttemptFailure(
            number=number, kind=kind or "infrastructure", error=f"broken {number}", traceback="T", failed_at=died
        )
        AttemptLog(connection).record(run_id, failure)
    job = Job.fetch(run_id, connection=connection, serializer=JSONSerializer)
    manager(connection).get_queue(queue).remove(job)
    job.ended_at = died
    job.retries_left = 0
    with connection.pipeline() as pipeline:
        job.set_status(JobStatus.FAILED, pipeline=pipeline)
        job._handle_failure("it broke", pipeline)
        pipeline.execute()


def dead_run(store: MemoryStore, run_id: str, **overrides: Any) -> None:
    """The row of a run that is dead."""
    (case,) = store.save_cases([case_record()])
    store.save([finished_run(case, overrides.pop("status", "dead"), id=run_id, **overrides)])
