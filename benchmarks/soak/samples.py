"""Memory, files and threads of a worker's processes at one moment, by part."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from dataclasses import dataclass

import psutil

from benchmarks.engine.usage import role_of

PARTS = ("parent", "child", "driver", "browser", "pages")
_NAMES = {"worker": "parent"}
_MB = 1e6


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Figures after `runs` runs; megabytes (10^6 bytes), open files and threads by part, and processes in all.

    `pages` are the browser's renderer processes; `browser` are its other processes.
    """

    runs: int
    pss_mb: dict[str, float]
    rss_mb: dict[str, float]
    fds: dict[str, int]
    threads: dict[str, int]
    processes: int


def take(pid: int, runs: int) -> Sample:
    """Look at the worker with this process id."""
    pss, rss = dict.fromkeys(PARTS, 0.0), dict.fromkeys(PARTS, 0.0)
    fds: dict[str, int] = defaultdict(int)
    threads: dict[str, int] = defaultdict(int)
    root = psutil.Process(pid)
    family = [root, *root.children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.Error):
            part = _part(process)
            memory = process.memory_full_info()
            pss[part] = pss.get(part, 0) + memory.pss / _MB
            rss[part] = rss.get(part, 0) + memory.rss / _MB
            fds[part] += process.num_fds()
            threads[part] += process.num_threads()
    return Sample(
        runs=runs,
        pss_mb={part: round(size, 1) for part, size in pss.items()},
        rss_mb={part: round(size, 1) for part, size in rss.items()},
        fds=dict(fds),
        threads=dict(threads),
        processes=len(family),
    )


def _part(process: psutil.Process) -> str:
    role = role_of(process)
    if role == "browser" and "--type=renderer" in process.cmdline():
        return "pages"
    return _NAMES.get(role, role)
