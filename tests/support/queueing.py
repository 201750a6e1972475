"""Jobs, requests and progress reports for tests, short to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from redis import Redis

from qa_queue.models import JobProgress, Priority, QueueName, RunStatus, TestJobData
from qa_queue.producer import RunRequest
from qa_queue.queues import JobSpec, QueueManager
from qa_queue.queues.dequeue import dequeue
from qa_queue.settings import Settings
from tests.support.steps import case, goto

QUEUE = QueueName.TEST_EXECUTION


def manager(connection: Redis, **settings: Any) -> QueueManager:
    """The queues on this Redis."""
    return QueueManager(connection, Settings(_env_file=None, **settings))


def job_data(run_id: str | None = None, **overrides: Any) -> TestJobData:
    """The payload of a run of its own."""
    return TestJobData(
        **{"test_case_id": str(uuid4()), "test_run_id": str(uuid4()) if run_id is None else run_id, **overrides}
    )


def job_spec(run_id: str | None = None, **overrides: Any) -> JobSpec:
    """The job of a run of its own."""
    data = job_data(run_id)
    return JobSpec(job_id=data.test_run_id, data=data, **overrides)


def add_specs(connection: Redis, *specs: JobSpec) -> None:
    """Put these runs on the queue in one step."""
    manager(connection).add(QUEUE, specs)


def add(connection: Redis, run_id: str, priority: Priority = Priority.NORMAL) -> None:
    """Put a run on the queue."""
    manager(connection).add_test_job(job_data(run_id), priority=priority)


def waiting(connection: Redis, queue: str = QUEUE) -> list[str]:
    """The list of waiting ids as RQ and rq-dashboard see it."""
    return [job_id.decode() for job_id in connection.lrange(f"rq:queue:{queue}", 0, -1)]


def take_all(connection: Redis) -> list[str]:
    """Take every waiting job; their ids in the order taken."""
    taken = iter(lambda: dequeue(connection, [QUEUE], None), None)
    return [job.job_id for job in taken]


def report(run_id: str, step: int = 1, **overrides: Any) -> JobProgress:
    """A report of a run of 4 steps."""
    values = {"test_run_id": run_id, "current_step": step, "total_steps": 4, "percentage": 25 * step}
    return JobProgress(**values | overrides)


def final(run_id: str, status: RunStatus = RunStatus.COMPLETED, **overrides: Any) -> JobProgress:
    """The last report of a run."""
    return report(run_id, 4, status=status, **overrides)


def run_request(name: str = "A case", **overrides: Any) -> RunRequest:
    """A request to run a case of one step; `steps` replaces it."""
    steps = overrides.pop("steps", (goto("/"),))
    fields = overrides.pop("fields", {})
    return RunRequest(**{"case": case(*steps, name=name, **fields), **overrides})


def snapshot(connection: Redis) -> dict[bytes, tuple[Any, bool]]:
    """Everything in the database and whether it expires, to compare before and after."""
    found = {key: (_content(connection, key), connection.ttl(key) >= 0) for key in connection.scan_iter()}
    return {key: value for key, value in found.items() if value[0] is not None}


def _content(connection: Redis, key: bytes) -> Any:
    readers: dict[bytes, Callable[[], Any]] = {
        b"string": lambda: connection.get(key),
        b"hash": lambda: connection.hgetall(key),
        b"list": lambda: connection.lrange(key, 0, -1),
        b"set": lambda: connection.smembers(key),
        b"zset": lambda: connection.zrange(key, 0, -1, withscores=True),
        b"stream": lambda: connection.xrange(key),
        b"none": lambda: None,  # it has just expired
    }
    return readers[connection.type(key)]()
