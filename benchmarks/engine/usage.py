"""CPU seconds by role and memory of process trees while they run."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import psutil

_CPU_S, _MEMORY_S = 0.2, 0.5  # between two looks
_ROLES = (
    ("qa_queue.worker.child", "child"),
    ("playwright/driver", "driver"),
    ("rq worker", "worker"),
    ("cli.js", "runner"),
    ("node", "runner"),
    ("python", "python"),
)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """CPU seconds by role; megabytes (10^6 bytes) of PSS of the whole tree, highest and median while it worked.

    `mb` is the median by role.
    """

    cpu: dict[str, float]
    mb: dict[str, float]
    peak_mb: float
    median_mb: float


def role_of(process: psutil.Process) -> str:
    """Return the role of a process in its tree."""
    if "chrom" in process.exe() or "chrom" in process.name():
        return "browser"
    words = " ".join(process.cmdline())
    return next((role for part, role in _ROLES if part in words), process.name())


@dataclass
class Sampler:
    """Looks at the trees under `roots` from a thread, within a `with`."""

    roots: Iterable[int]
    _cpu: dict[tuple[str, int], float] = field(default_factory=lambda: defaultdict(float))
    _memory: list[dict[str, int]] = field(default_factory=list)
    _roles: dict[tuple[int, float], str] = field(default_factory=dict)

    def __enter__(self) -> Sampler:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def usage(self) -> Usage:
        """The measured usage. CPU time of a process after its last sample is missing."""
        cpu: dict[str, float] = defaultdict(float)
        for (role, _), seconds in self._cpu.items():
            cpu[role] += seconds
        sizes = [sum(one.values()) for one in self._memory] or [0]
        working = [one for one, size in zip(self._memory, sizes, strict=False) if size > max(sizes) / 2]
        return Usage(
            cpu={role: round(seconds, 2) for role, seconds in sorted(cpu.items())},
            mb={role: _megabytes([one.get(role, 0) for one in working]) for role in sorted(cpu)},
            peak_mb=round(max(sizes) / 1e6, 1),
            median_mb=_megabytes([sum(one.values()) for one in working]),
        )

    def _watch(self) -> None:
        next_memory = 0.0
        while not self._done.wait(_CPU_S):
            self._look_at_cpu()
            if time.monotonic() >= next_memory:
                self._look_at_memory()
                next_memory = time.monotonic() + _MEMORY_S

    def _look_at_cpu(self) -> None:
        """Browsers' processes live shorter than a look: their mains know what those used that have ended."""
        now: dict[tuple[str, int], float] = defaultdict(float)
        for process in self._family():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                role = self._role(process)
                ended = times.children_user + times.children_system if role == "browser" else 0
                now[role, self._group(process, role)] += times.user + times.system + ended
        for key, seconds in now.items():
            self._cpu[key] = max(self._cpu[key], seconds)

    def _look_at_memory(self) -> None:
        now: dict[str, int] = defaultdict(int)
        for process in self._family():
            with contextlib.suppress(psutil.Error):
                now[self._role(process)] += process.memory_full_info().pss
        self._memory.append(now)

    def _family(self) -> list[psutil.Process]:
        found = []
        for pid in self.roots:
            with contextlib.suppress(psutil.Error):
                root = psutil.Process(pid)
                found += [root, *root.children(recursive=True)]
        return found

    def _role(self, process: psutil.Process) -> str:
        key = process.pid, process.create_time()
        if key not in self._roles:
            self._roles[key] = role_of(process)
        return self._roles[key]

    def _group(self, process: psutil.Process, role: str) -> int:
        """The process itself; of a browser, its first process."""
        if role != "browser":
            return process.pid
        parent = process.parent()
        while parent is not None and self._role(parent) == "browser":
            process, parent = parent, parent.parent()
        return process.pid


def _megabytes(sizes: list[int]) -> float:
    """The median of sizes in bytes; a tree's start and end, when it is small, are not to be among them."""
    return round(statistics.median(sizes or [0]) / 1e6, 1)
