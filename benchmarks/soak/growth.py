"""Growth of sampled figures with the number of runs. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.soak.samples import Sample

ENOUGH = 300  # runs; with fewer the slope is the warm-up's
WINDOWS = 5  # of the runs; the first is the warm-up: caches fill, and V8's heaps grow to their working size
# Per 1000 runs. A leak of one page, context or row a run would be far above: a context's objects are about 0.3 MB
# in the driver, a page in the browser 1 MB and more, a file or a thread a run 1000.
MOST_MB = {"parent": 8.0, "child": 20.0, "driver": 80.0, "browser": 60.0}
MOST_COUNT = {"parent": 5.0, "child": 10.0, "driver": 10.0, "browser": 60.0}


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Growth of a part per 1000 runs, beside its limit."""

    what: str
    per_1000: float
    most: float

    @property
    def too_much(self) -> bool:
        """True if the growth is above the limit."""
        return self.per_1000 > self.most


def growths(samples: Sequence[Sample]) -> list[Growth]:
    """Memory, open files and threads of each part after the warm-up."""
    found = [
        Growth(what=f"{part}, MB of PSS", per_1000=_slope(samples, lambda one: one.pss_mb, part), most=most)
        for part, most in MOST_MB.items()
    ]
    for part, most in MOST_COUNT.items():
        fds, threads = (_slope(samples, look, part) for look in (lambda one: one.fds, lambda one: one.threads))
        found.append(Growth(what=f"{part}, open files", per_1000=fds, most=most))
        found.append(Growth(what=f"{part}, threads", per_1000=threads, most=most))
    return found


def _slope(samples: Sequence[Sample], look: Callable[[Sample], Mapping[str, float]], part: str) -> float:
    """By least squares over the lowest value of each window, for a heap rises until its garbage is collected."""
    width = samples[-1].runs / WINDOWS
    floors: dict[int, tuple[float, float]] = {}
    for sample in samples[:-1]:  # at the last one everything ends
        window, value = int(sample.runs / width), float(look(sample).get(part, 0))
        if 0 < window < WINDOWS and (window not in floors or value < floors[window][1]):
            floors[window] = sample.runs, value
    if len(floors) < 2:
        return 0.0
    runs, values = zip(*floors.values(), strict=True)
    return round(statistics.linear_regression(runs, values).slope * 1000, 1)
