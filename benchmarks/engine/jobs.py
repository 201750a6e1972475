"""Jobs on the queue and their outcomes in Redis."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from benchmarks.engine.moments import Span
from benchmarks.engine.service import BenchService
from qa_queue.cases.exporters.document import case_document
from qa_queue.models import EvidenceMode, TestConfig, TestJobData
from qa_queue.producer import JobProducer, RunRequest
from qa_queue.queues.priority_queue import PriorityQueue
from qa_queue.settings import load_settings
from qa_queue.store.records import case_id
from qa_queue.store.supabase import SupabaseStore

QUEUE = "test-execution"
NOOP = "benchmarks.noop.noop"
PER_JOB = "benchmarks.engine.others.per_job.login"
EXECUTE = "processors.entry.execute_run"
_AT_ONCE = 500


def put(redis: Redis, function: str, payloads: list[dict[str, Any]], *, plain: bool = False) -> None:
    """Put jobs on the queue; `plain` as RQ's own queue does it, for RQ's own worker."""
    kind = Queue if plain else PriorityQueue
    queue = kind(QUEUE, connection=redis, serializer=JSONSerializer)
    for at in range(0, len(payloads), _AT_ONCE):
        with redis.pipeline() as pipe:
            for data in payloads[at : at + _AT_ONCE]:
                job_id = data.get("test_run_id") or str(uuid4())
                queue.enqueue(function, kwargs={"data": data}, job_id=job_id, pipeline=pipe, job_timeout=120)
            pipe.execute()


def config(*, trace: bool) -> TestConfig:
    """As shipped, a run records a trace in case it fails; none of the others does, so most rows go without."""
    return TestConfig() if trace else TestConfig(trace=EvidenceMode.OFF)


def login_payloads(service: BenchService, runs: int, *, trace: bool = False) -> list[dict[str, Any]]:
    """Return payloads of runs that have no rows yet."""
    same = {
        "test_case_id": case_id("login"),
        "case": case_document(service.case),
        "config": config(trace=trace),
    }
    made = (TestJobData(**same, test_run_id=str(uuid4())) for _ in range(runs))
    return [data.model_dump(mode="json", exclude_defaults=True) for data in made]  # as every version reads them


def submit(service: BenchService, redis: Redis, runs: int, *, trace: bool = False) -> None:
    """Submit runs as users do: rows in Supabase, then jobs."""
    assert service.supabase is not None
    store = SupabaseStore(service.supabase.url, str(service.supabase.key))
    try:
        JobProducer(redis, store, load_settings()).submit(
            [RunRequest(case=service.case, config=config(trace=trace))] * runs
        )
    finally:
        store.close()


def finished(redis: Redis, wanted: int) -> Span:
    """The span of the jobs that finished.

    Raises:
        SystemExit: another number of jobs finished well than are wanted.
    """
    with redis.pipeline(transaction=False) as pipe:
        for job_id in redis.zrange(f"rq:finished:{QUEUE}", 0, -1):
            pipe.hmget(f"rq:job:{job_id.decode()}", "started_at", "ended_at", "status")
        found = pipe.execute()
    good = [(_moment(started), _moment(ended)) for started, ended, status in found if status == b"finished"]
    if len(good) != wanted:
        raise SystemExit(f"{len(good)} of {wanted} jobs finished")
    return Span(wanted, min(start for start, _ in good), max(end for _, end in good))


def _moment(text: bytes) -> float:
    return datetime.fromisoformat(text.decode().replace("Z", "+00:00")).timestamp()
