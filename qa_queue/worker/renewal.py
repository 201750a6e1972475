"""How much memory a process and its descendants hold, as Linux tells it.

When a browser and its child process have done enough. Pure.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from qa_queue.settings import Settings

_PROC = Path("/proc")


def tree_memory(pid: int) -> int | None:
    """Bytes that the process and its descendants hold, shared parts counted once (PSS); None where it is not told.

    Source: proc(5), `smaps_rollup` and `task/*/children`.
    """
    sizes = [_pss(one) for one in _family(pid)]
    return sum(size for size in sizes if size) if any(sizes) else None


def available_memory() -> int | None:
    """Bytes that new processes may take without others being swapped out; None where it is not told."""
    with contextlib.suppress(OSError):
        return _kib((_PROC / "meminfo").read_text(), "MemAvailable:")
    return None


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:  # grows while it is gone through
        for task in (_PROC / str(one) / "task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, task.read_text().split())
    return found


def _pss(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return _kib((_PROC / str(pid) / "smaps_rollup").read_text(), "Pss:")
    return None


def _kib(text: str, name: str) -> int | None:
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return None


MIB = 1 << 20
_HARD = 2  # times the memory at which it is renewed: what still runs in it does not end by itself


@dataclass(frozen=True, kw_only=True)
class RenewalLimits:
    """What a child process may reach before it is renewed; 0 is no limit. `memory` is in bytes, `age` in s."""

    runs: int
    age: float
    memory: int

    @classmethod
    def of(cls, settings: Settings) -> RenewalLimits:
        """The limits that are set."""
        return cls(
            runs=settings.queue_recycle_runs,
            age=settings.queue_recycle_minutes * 60,
            memory=settings.queue_recycle_mb * MIB,
        )


def reason_to_renew(limits: RenewalLimits, *, runs: int, age: float, memory: int | None) -> str | None:
    """Why a process with this behind it is to be renewed; None while it may go on. `memory` None is not known."""
    if limits.runs and runs >= limits.runs:
        return f"it has had {runs} runs"
    if limits.age and age >= limits.age:
        return f"it is {age / 60:.0f} min old"
    if limits.memory and memory is not None and memory >= limits.memory:
        return f"it holds {memory // MIB} MiB"
    return None


def too_big(limits: RenewalLimits, memory: int | None) -> bool:
    """Whether a process holds so much that it is ended with all that runs in it."""
    return bool(limits.memory) and memory is not None and memory >= _HARD * limits.memory
