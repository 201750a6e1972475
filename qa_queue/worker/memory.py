"""How much memory a process and its descendants hold, as Linux tells it."""

from __future__ import annotations

import contextlib
from pathlib import Path

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
