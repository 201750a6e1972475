"""Real `rq worker` processes for tests, their jobs, and the state that they leave."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil
from redis import Redis
from rq import Retry, Worker
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.queues.dequeue import dequeue
from qa_queue.queues.priority_queue import PriorityQueue
from qa_queue.worker.executions import ActiveJob, open_execution
from tests.support.poll import wait_until
from tests.support.processes import ROOT, SCRIPTS, ServiceProcess, gone

__all__ = ["FAKE", "QUEUE", "ROOT", "RQ", "WorkerProcess", "did", "ended", "enqueue", "gone", "opened"]

RQ = SCRIPTS / "rq"
QUEUE = "test-execution"
FAKE = "tests.support.runtimes:FakeRuntime"


class WorkerProcess(ServiceProcess):
    """A worker of RQ's own command; without QA_RUNTIME it runs the jobs of `tests.support.runtimes`.

    If `fresh`, the command is started, with the imports of an interpreter of its own; otherwise it is forked.
    """

    def __init__(
        self, log: Path, *args: str, queues: tuple[str, ...] = (QUEUE,), fresh: bool = False, **env: str
    ) -> None:
        command = [RQ, "worker", "-w", "qa_queue.worker.QAWorker", *args, *queues]
        super().__init__(log, *command, env={"QA_RUNTIME": FAKE, **env}, forked=None if fresh else "rq.cli")

    @property
    def child(self) -> psutil.Process:
        """The child process, which leads a session of its own, once it has started."""

        def look() -> list[psutil.Process]:
            return [p for p in self.process.children() if os.getsid(p.pid) == p.pid]

        return wait_until(look, what="a child process")[0]

    @property
    def child_environment(self) -> dict[str, str]:
        """The environment of the child of a `fresh` worker; until its program begins, it has that of the worker."""

        def look() -> dict[str, str] | None:
            found = self.child.environ()
            return found if found != self.process.environ() else None

        return wait_until(look, what="the child's own environment")


def enqueue(
    redis: Redis,
    name: str,
    data: dict[str, Any] | None = None,
    *,
    job_id: str | None = None,
    attempts: int = 1,
    interval: int = 0,
    queue: str = QUEUE,
    **options: Any,
) -> Job:
    """Put a job of `tests.support.runtimes` on a queue."""
    retry = Retry(max=attempts - 1, interval=interval) if attempts > 1 else None
    return PriorityQueue(queue, connection=redis).enqueue(
        f"jobs.{name}", kwargs={"data": data or {}}, job_id=job_id, retry=retry, **options
    )


def ended(job: Job, timeout: float = 60) -> str:
    """Wait until the job has ended and return its status."""
    status = wait_until(
        lambda: (s := job.get_status(refresh=True).value) in ("finished", "failed", "stopped", "canceled") and s,
        timeout=timeout,
        what=f"the end of job {job.id}",
    )
    job.refresh()
    return status


def did(redis: Redis, job: Job) -> list[int]:
    """Return the numbers of the attempts that were begun."""
    return [int(n) for n in redis.lrange(f"did:{job.id}", 0, -1)]


def opened(redis: Redis, job: Job, name: str | None = None) -> tuple[Worker, ActiveJob]:
    """Start a job by a worker of this process, which then does nothing more."""
    worker = Worker([PriorityQueue(QUEUE, connection=redis)], name, connection=redis, serializer=JSONSerializer)
    reserved = dequeue(redis, [QUEUE], None)
    assert reserved is not None
    assert reserved.job_id == job.id
    active = open_execution(worker, reserved, suspect=False)
    assert active is not None
    return worker, active
