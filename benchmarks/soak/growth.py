"""Whether what was sampled grows with the runs. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.soak.samples import Sample

ENOUGH = 300  # runs; with fewer the slope is the warm-up's
WARM_UP = 0.25  # of the runs, which are left out: caches fill, and V8's heaps grow to their working size
# Per 1000 runs. A leak of one page, context or row a run would be far above: a context's objects are about 0.3 MB
# in the driver, a page in the browser 1 MB and more, a file or a thread a run 1000.
MOST_MB = {"parent": 8.0, "child": 20.0, "driver": 40.0, "browser": 60.0}
MOST_COUNT = {"parent": 5.0, "child": 10.0, "driver": 10.0, "browser": 60.0}


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What a part gains per 1000 runs, beside what it may."""

    what: str
    per_1000: float
    most: float

    @property
    def too_much(self) -> bool:
        """Whether it grows."""
        return self.per_1000 > self.most


def growths(samples: Sequence[Sample]) -> list[Growth]:
    """Memory, open files and threads of each part, by least squares over what follows the warm-up."""
    last = samples[-1].runs
    kept = [one for one in samples if one.runs >= WARM_UP * last]
    found = [
        Growth(what=f"{part}, MB of PSS", per_1000=_slope(kept, [one.pss_mb for one in kept], part), most=most)
        for part, most in MOST_MB.items()
    ]
    for part, most in MOST_COUNT.items():
        fds = _slope(kept, [one.fds for one in kept], part)
        threads = _slope(kept, [one.threads for one in kept], part)
        found.append(Growth(what=f"{part}, open files", per_1000=fds, most=most))
        found.append(Growth(what=f"{part}, threads", per_1000=threads, most=most))
    return found


def _slope(samples: Sequence[Sample], values: Sequence[Mapping[str, float]], part: str) -> float:
    runs = [float(one.runs) for one in samples]
    if len(set(runs)) < 2:
        return 0.0
    return round(statistics.linear_regression(runs, [one.get(part, 0.0) for one in values]).slope * 1000, 1)
