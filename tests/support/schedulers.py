"""Scheduler processes for tests, and the runs and jobs that they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis

from qa_queue.models import QueueName
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import RunRecord
from qa_queue.store.schedule_records import ScheduleRecord

ROOT = Path(__file__).resolve().parents[2]
_OWN = ("REDIS_", "SUPABASE_", "QUEUE_", "RQ_", "QA_", "LOG_")


class SchedulerProcess:
    """`python -m qa_queue.worker.scheduler`, with its output in a file; killed at the end if it still runs."""

    def __init__(self, log: Path, **settings: str) -> None:
        self._log = log
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
        self._environment = {**kept, **settings}
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; after a kill, again."""
        with self._log.open("ab") as out:
            self._popen = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "qa_queue.worker.scheduler"],
                cwd=ROOT,
                env=self._environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        if self._popen is not None:
            self._popen.send_signal(signal.SIGKILL)
            self._popen.wait(20)

    @property
    def alive(self) -> bool:
        """True while it runs."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def text(self) -> str:
        """Its output so far."""
        return self._log.read_text() if self._log.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.kill()


def runs_of(store: RunStore, schedule: ScheduleRecord) -> list[RunRecord]:
    """The rows of the runs that a schedule started, the oldest first."""
    return store.list_runs(user_id=f"schedule:{schedule.name}", limit=1000, oldest_first=True)


def jobs_on(connection: Redis, queue: str = QueueName.TEST_EXECUTION) -> list[str]:
    """The ids that wait on a queue."""
    return [job_id.decode() for job_id in connection.lrange(f"rq:queue:{queue}", 0, -1)]
