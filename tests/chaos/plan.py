"""The plan of a chaos run, drawn from a seed: workers, runs, and faults that overlap. Pure."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations

from qa_queue.models import Priority

LONG_S, SHORT_S = 60.0, 15.0  # for which runs are submitted and faults begin
CLOCKS_S = (0, 0, 0, 300, -300, 8 * 24 * 3600)
_BROWSER_SEEDS = 5  # one long seed in five has a real browser
# Kinds of faults by what they hit. Two faults that hit the same thing do not overlap, others may.
KINDS: dict[str, tuple[str, ...]] = {
    "worker": ("kill worker", "kill child", "end worker", "freeze worker", "freeze child", "freeze both"),
    "browser": ("kill driver", "kill chromium"),
    "line": ("slow", "reset", "half-open", "silent", "lost replies"),
    "redis": ("kill", "freeze", "flush", "read-only", "out of memory"),
    "supabase": ("gone", "500", "429", "404", "403", "HTML", "read-only", "slow", "half"),
    "supabase line": ("slow", "reset", "half-open", "silent", "lost replies"),
    "scheduler": ("kill scheduler", "freeze scheduler"),
    "disk": ("full",),
}
_WEIGHTS = {
    "worker": 5,
    "browser": 2,
    "line": 3,
    "redis": 4,
    "supabase": 3,
    "supabase line": 2,
    "scheduler": 1,
    "disk": 1,
}
_HOLDS_MS, _HOLD_WEIGHTS = (50, 100, 300, 1000, 3000), (5, 5, 5, 2, 1)
ABSENT_S = 5.0  # for which a browser waits for the text of a run that fails
_PER_WORKER = ("worker", "browser", "line")


@dataclass(frozen=True)
class PlannedWorker:
    """A worker with this number of slots and a clock that is `clock_s` off."""

    slots: int
    clock_s: int


@dataclass(frozen=True)
class PlannedRun:
    """A run that is submitted at a time; its steps last `holds_ms`, the last one fails unless it passes."""

    name: str
    at: float
    priority: Priority
    delay_ms: int | None
    holds_ms: tuple[int, ...]
    passes: bool
    cancel_at: float | None

    @property
    def due(self) -> float:
        """Time from which on it may start."""
        return self.at + (self.delay_ms or 0) / 1000

    @property
    def needs_s(self) -> float:
        """Time that its steps last."""
        return sum(self.holds_ms) / 1000


@dataclass(frozen=True)
class PlannedFault:
    """A fault from a time on, for some seconds; `worker` is the index of the worker that it hits."""

    at: float
    part: str
    kind: str
    seconds: float
    worker: int = 0

    @property
    def target(self) -> tuple[str, int]:
        """What it hits."""
        return (self.part, self.worker if self.part in _PER_WORKER else 0)

    @property
    def name(self) -> str:
        """A name for the log."""
        where = f" of worker {self.worker}" if self.part in _PER_WORKER else ""
        return f"{self.part} {self.kind}{where} for {self.seconds:.1f} s"

    @property
    def loses(self) -> bool:
        """True if Redis may lose data: its append-only file is written once a second."""
        return (self.part, self.kind) in {("redis", "kill"), ("redis", "flush")}

    def clashes(self, other: PlannedFault) -> bool:
        """Return whether two faults hit the same thing at the same time."""
        apart = self.at + self.seconds < other.at or other.at + other.seconds < self.at
        return self.target == other.target and not apart


@dataclass(frozen=True)
class ChaosPlan:
    """Everything that a seed decides. With `browser` the runs use Chromium, else plain HTTP requests."""

    seed: int
    seconds: float
    browser: bool
    workers: tuple[PlannedWorker, ...]
    runs: tuple[PlannedRun, ...]
    faults: tuple[PlannedFault, ...]


def draw(seed: int, *, short: bool = False) -> ChaosPlan:
    """Return the plan of a seed."""
    rng = random.Random(seed)
    seconds = SHORT_S if short else LONG_S
    browser = not short and rng.randrange(_BROWSER_SEEDS) == 0
    workers = tuple(_worker(rng, 2 if short else 1) for _ in range(rng.randint(1, 2 if short else 4)))
    runs = tuple(_run(rng, number, seconds) for number in range(rng.randint(10, 20 if short else 40)))
    faults = _faults(rng, rng.randint(1, 3 if short else 6), len(workers), seconds, browser=browser)
    return ChaosPlan(seed, seconds, browser, workers, tuple(sorted(runs, key=lambda run: run.at)), faults)


def _worker(rng: random.Random, least: int) -> PlannedWorker:
    return PlannedWorker(slots=rng.randint(least, 3), clock_s=rng.choice(CLOCKS_S))


def _run(rng: random.Random, number: int, seconds: float) -> PlannedRun:
    at = rng.uniform(0, seconds * 0.8)
    return PlannedRun(
        name=f"run-{number}",
        at=at,
        priority=rng.choice(list(Priority)),
        delay_ms=rng.randint(200, 8000) if rng.random() < 0.2 else None,
        holds_ms=tuple(rng.choices(_HOLDS_MS, _HOLD_WEIGHTS, k=rng.randint(1, 4))),
        passes=rng.random() < 0.8,
        cancel_at=at + rng.uniform(0, 5) if rng.random() < 0.1 else None,
    )


def _faults(
    rng: random.Random, count: int, workers: int, seconds: float, *, browser: bool
) -> tuple[PlannedFault, ...]:
    parts = [part for part in KINDS if browser or part != "browser"]
    drawn: list[PlannedFault] = []
    while len(drawn) < count:
        part = rng.choices(parts, [_WEIGHTS[part] for part in parts])[0]
        fault = PlannedFault(
            at=rng.uniform(seconds * 0.1, seconds * 0.9),
            part=part,
            kind=rng.choice(KINDS[part]),
            seconds=rng.choice((0.3, 1.0, 3.0, 8.0, 14.0 if seconds >= LONG_S else 5.0)),
            worker=rng.randrange(workers),
        )
        if not any(fault.clashes(other) for other in drawn):
            drawn.append(fault)
    return tuple(sorted(drawn, key=lambda fault: fault.at))


def overlapping(faults: Sequence[PlannedFault]) -> int:
    """Return the number of pairs of faults that last at the same time."""
    return sum(
        one.at <= other.at + other.seconds and other.at <= one.at + one.seconds
        for one, other in combinations(faults, 2)
    )


def work_left(plan: ChaosPlan, names: Collection[str], now: float) -> float:
    """Return the seconds that these runs of a plan need at least from `now` on, on all of its workers."""
    needs = {run: run.needs_s + (0 if run.passes or not plan.browser else ABSENT_S) for run in plan.runs}
    left = [run for run in plan.runs if run.name in names]
    slots = sum(worker.slots for worker in plan.workers)
    return max([sum(map(needs.__getitem__, left)) / slots, *(max(0.0, run.due - now) + needs[run] for run in left)])
