"""Real `rq worker` processes for tests, and looking at what they leave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from redis import Redis
from rq import Retry
from rq.job import Job

from qa_queue.queues.priority_queue import PriorityQueue
from tests.support.poll import wait_until
from tests.support.processes import command_of

ROOT = Path(__file__).resolve().parents[2]
RQ = Path(sys.executable).with_name("rq")
QUEUE = "test-execution"
FAKE = "tests.support.runtimes:FakeRuntime"


class WorkerProcess:
    """A worker started by RQ's own command; ended with its descendants at the end of the `with` block."""

    def __init__(self, log: Path, *args: str, queues: tuple[str, ...] = (QUEUE,), **env: str) -> None:
        self.log = log
        command = [str(RQ), "worker", "-w", "qa_queue.worker.QAWorker", *args, *queues]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("REDIS_", "RQ_", "QA_", "QUEUE_"))}
        with log.open("ab") as file:
            self.popen = subprocess.Popen(
                command, cwd=ROOT, env={**kept, "QA_RUNTIME": FAKE, **env}, stdout=file, stderr=file
            )
        self.process = psutil.Process(self.popen.pid)

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *exc_info: object) -> None:
        family = self.family() if self.popen.poll() is None else []
        for process in family:
            if process.is_running():
                process.kill()
        self.popen.wait(10)

    def family(self) -> list[psutil.Process]:
        """The worker and all its descendants."""
        return [self.process, *self.process.children(recursive=True)]

    @property
    def child(self) -> psutil.Process:
        """The child process, once it has started."""

        def look() -> list[psutil.Process]:
            return [p for p in self.process.children() if "qa_queue.worker.child" in command_of(p)]

        return wait_until(look, what="a child process")[0]

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def wait(self, timeout: float = 60) -> int:
        return self.popen.wait(timeout)

    @property
    def text(self) -> str:
        """What it has logged."""
        return self.log.read_text()

    def says(self, words: str, timeout: float = 60) -> None:
        wait_until(lambda: words in self.text, timeout=timeout, what=f"{words!r} in {self.text!r}")


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
    """Wait until the job has ended and return how."""
    status = wait_until(
        lambda: (s := job.get_status(refresh=True).value) in ("finished", "failed", "stopped", "canceled") and s,
        timeout=timeout,
        what=f"the end of job {job.id}",
    )
    job.refresh()
    return status


def did(redis: Redis, job: Job) -> list[int]:
    """The attempts that were begun."""
    return [int(n) for n in redis.lrange(f"did:{job.id}", 0, -1)]


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of these runs any more."""
    return all(not p.is_running() or p.status() == psutil.STATUS_ZOMBIE for p in processes)
