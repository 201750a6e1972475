"""How many worker processes there should be. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qa_queue.errors import InputError

MIB = 1 << 20
PATIENCE_S = 1.0  # a job that waits for less is about to be taken
GROW_PAUSE_S = 5.0  # a new worker gets so long to show what it does
SHRINK_AFTER_S = 60.0  # of less to do than the workers could; work comes in waves
GUESS_BYTES = 400 * MIB  # of a worker that nobody has measured yet
RESERVE_BYTES = 512 * MIB  # that stay free


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The fewest and the most worker processes; `memory` is what they may hold together, in bytes, None is all."""

    least: int
    most: int
    memory: int | None = None

    @classmethod
    def parse(cls, text: str, memory: int | None = None) -> Bounds:
        """From `MIN:MAX`.

        Raises:
            InputError: it is not that.
        """
        least, colon, most = text.partition(":")
        if (
            not (colon and least.isdecimal() and most.isdecimal())
            or not 0 <= int(least) <= int(most)
            or most == "0"
        ):
            raise InputError(f"--autoscale {text!r} is no range: it takes MIN:MAX, such as 1:4, with MIN <= MAX.")
        return cls(least=int(least), most=int(most), memory=memory)


@dataclass(frozen=True, kw_only=True)
class Load:
    """What there is to do and who does it.

    `waiting` jobs, the oldest for `oldest` s; `running` jobs; `workers` of `slots` jobs each. `each` is what one
    worker holds in memory and `free` what the machine has left, in bytes, None where they are not known.
    """

    waiting: int
    oldest: float
    running: int
    workers: int
    slots: int
    each: int | None = None
    free: int | None = None

    @property
    def wanted(self) -> int:
        """Workers that would have a slot for every job."""
        return math.ceil((self.waiting + self.running) / self.slots)


@dataclass(frozen=True, kw_only=True)
class History:
    """Seconds since workers were last added, and for how long there has been less to do than they could."""

    since_growth: float
    slack_for: float


def decide(bounds: Bounds, load: Load, history: History) -> int:
    """How many workers there should be now.

    Grows at once, but at most to the double, when jobs wait that no free slot will take, and then lets the new
    ones start. Shrinks by one, and only after a time in which fewer would have done. The limits hold before all.
    """
    if load.workers < bounds.least:
        return bounds.least
    if load.workers > bounds.most:
        return bounds.most
    if load.wanted > load.workers:
        return _grown(bounds, load, history)
    if load.wanted < load.workers > bounds.least and history.slack_for >= SHRINK_AFTER_S:
        return load.workers - 1
    return load.workers


def _grown(bounds: Bounds, load: Load, history: History) -> int:
    urgent = load.workers == 0 or load.oldest >= PATIENCE_S
    if not urgent or history.since_growth < GROW_PAUSE_S:
        return load.workers
    more = min(load.wanted, bounds.most, 2 * load.workers or 1) - load.workers
    return load.workers + max(0, min(more, _that_fit(bounds, load)))


def _that_fit(bounds: Bounds, load: Load) -> int:
    """How many more workers there is memory for."""
    each = load.each or GUESS_BYTES
    rooms = [load.free - RESERVE_BYTES] if load.free is not None else []
    if bounds.memory is not None:
        rooms.append(bounds.memory - load.workers * each)
    return min((room // each for room in rooms), default=bounds.most)
