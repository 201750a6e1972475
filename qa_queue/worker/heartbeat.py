"""What a worker reports of itself with its heartbeat: the disk, its outbox, restarts of browsers, deaths."""

from __future__ import annotations

import shutil
from pathlib import Path

from redis import Redis

from qa_queue.monitoring.heartbeats import DISK_FIELD, OUTBOX_FIELD, SEGMENTS_FIELD
from qa_queue.redis.counters import BROWSER_RESTARTS, COUNTS_KEY, PROCESS_DEATHS
from qa_queue.worker.ipc import Vitals


class HeartbeatStatistics:
    """Collects them between two heartbeats. What is counted is added to the counts in Redis, each once."""

    def __init__(self, home: Path) -> None:
        self._folder = next(path for path in (home.resolve(), *home.resolve().parents) if path.exists())
        self._restarts: dict[int, int] = {}  # of the browser, as each child has counted them
        self._uncounted = {BROWSER_RESTARTS: 0, PROCESS_DEATHS: 0}
        self._latest: Vitals | None = None

    def take(self, pid: int, report: Vitals) -> None:
        """What a child says of itself."""
        self._latest = report
        self._uncounted[BROWSER_RESTARTS] += report.browser_restarts - self._restarts.get(pid, 0)
        self._restarts[pid] = report.browser_restarts

    def ended(self, pid: int, *, as_told: bool) -> None:
        """A child has ended."""
        self._restarts.pop(pid, None)
        self._uncounted[PROCESS_DEATHS] += 0 if as_told else 1

    def write(self, connection: Redis, key: str) -> None:
        """Put them into the worker's hash, which must be there already; one round trip.

        Raises:
            redis.exceptions.RedisError: Redis failed; what was to be counted is kept for the next time.
        """
        counted = {field: count for field, count in self._uncounted.items() if count}
        pipeline = connection.pipeline()
        for name, value in self._fields().items():
            pipeline.hset(key, name, str(value))
        for field, count in counted.items():
            pipeline.hincrby(COUNTS_KEY, field, count)
        pipeline.execute()
        for field, count in counted.items():
            self._uncounted[field] -= count

    def _fields(self) -> dict[str, int]:
        fields = {DISK_FIELD: shutil.disk_usage(self._folder).free}
        if self._latest is not None:
            fields |= {OUTBOX_FIELD: self._latest.outbox_bytes, SEGMENTS_FIELD: self._latest.outbox_segments}
        return fields
