"""Condition of a worker's child processes: memory, limits for their renewal, and statistics for the heartbeat."""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil
from redis import Redis

from qa_queue.errors.validation import count_of
from qa_queue.monitoring.heartbeats import DISK_FIELD, OUTBOX_FIELD, SEGMENTS_FIELD
from qa_queue.redis.counters import BROWSER_RESTARTS, COUNTS_KEY, PROCESS_DEATHS, refused_field
from qa_queue.settings import Settings
from qa_queue.worker.ipc import ChildStatistics

MIB = 1 << 20
_HARD_LIMIT = 2  # times the memory limit; a child beyond it is killed, because what runs in it may never end


@dataclass(frozen=True, kw_only=True)
class RenewalLimits:
    """Limits at which a child process is renewed; 0 is unlimited. `memory` is in bytes, `age` in s."""

    runs: int
    age: float
    memory: int

    @classmethod
    def of(cls, settings: Settings) -> RenewalLimits:
        """Return the limits of the settings."""
        return cls(
            runs=settings.queue_recycle_runs,
            age=settings.queue_recycle_minutes * 60,
            memory=settings.queue_recycle_mb * MIB,
        )


def reason_to_renew(limits: RenewalLimits, *, runs: int, age: float, memory: int | None) -> str | None:
    """Return why a child with these figures is to be renewed, or None; `memory` is None if it was not measured."""
    if limits.runs and runs >= limits.runs:
        return f"it has had {count_of(runs, 'run')}"
    if limits.age and age >= limits.age:
        return f"it is {age / 60:.0f} min old"
    if limits.memory and memory is not None and memory >= limits.memory:
        return f"it holds {memory // MIB} MiB"
    return None


def too_big(limits: RenewalLimits, memory: int | None) -> bool:
    """Return whether a child holds so much memory that it is killed with all that runs in it."""
    return bool(limits.memory) and memory is not None and memory >= _HARD_LIMIT * limits.memory


def tree_memory(pid: int) -> int | None:
    """Return the bytes that a process and its descendants hold; None if none of them can be read.

    Shared pages are counted once (PSS) on Linux and not at all (USS) elsewhere.
    """
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        sizes = [_memory(process) for process in (root, *root.children(recursive=True))]
        return sum(sizes) or None
    return None


def _memory(process: psutil.Process) -> int:
    try:
        info = process.memory_full_info()
    except psutil.Error:  # it has just ended, or is another user's
        return 0
    return int(getattr(info, "pss", info.uss))


class HeartbeatStatistics:
    """Figures about the children, collected between heartbeats. Counts are added to those in Redis, each once."""

    def __init__(self, home: Path) -> None:
        self._folder = next(path for path in (home.resolve(), *home.resolve().parents) if path.exists())
        self._counted: dict[int, Counter[str]] = {}  # as each child has counted
        self._uncounted: Counter[str] = Counter()
        self._latest: ChildStatistics | None = None

    def update(self, pid: int, report: ChildStatistics) -> None:
        """Add a child's report."""
        self._latest = report
        refused = {refused_field(rule): count for rule, count in report.egress_refused.items()}
        counts = Counter({BROWSER_RESTARTS: report.browser_restarts} | refused)
        self._uncounted.update(counts)
        self._uncounted.subtract(self._counted.get(pid, Counter()))
        self._counted[pid] = counts

    def child_ended(self, pid: int, *, expected: bool) -> None:
        """Count the end of a child, unless it was asked to end."""
        self._counted.pop(pid, None)
        self._uncounted[PROCESS_DEATHS] += 0 if expected else 1

    def write(self, connection: Redis, key: str) -> None:
        """Write the figures into the worker's hash, which must exist, in one round trip.

        Raises:
            redis.exceptions.RedisError: Redis failed; the counts are kept for the next call.
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
