"""How many requests one caller may make: a token bucket for each, in the memory of this process."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MOST_CALLERS = 10_000  # kept in memory; the one that was quiet for longest is forgotten, and starts afresh


@dataclass(frozen=True)
class Bucket:
    """What a caller may still do: `tokens` requests at the moment `at`, in seconds."""

    tokens: float
    at: float


def take(bucket: Bucket | None, now: float, per_minute: int) -> tuple[Bucket, float]:
    """The bucket after one request, and for how many seconds the caller has to wait; 0 when it may pass.

    A full bucket holds a minute's worth, so that a caller may hurry as long as it is patient afterwards.
    """
    rate = per_minute / 60
    full = Bucket(float(per_minute), now) if bucket is None else bucket
    tokens = min(float(per_minute), full.tokens + max(0.0, now - full.at) * rate)
    if tokens >= 1:
        return Bucket(tokens - 1, now), 0.0
    return Bucket(tokens, now), (1 - tokens) / rate


class RateLimiter:
    """Buckets by caller. One process serves the API, so they need no place outside it."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, caller: str) -> int:
        """Count a request; whole seconds that the caller has to wait, or 0 when it may pass."""
        with self._lock:
            bucket, wait = take(self._buckets.pop(caller, None), self._clock(), self._per_minute)
            self._buckets[caller] = bucket
            if len(self._buckets) > MOST_CALLERS:
                self._buckets.popitem(last=False)
        return math.ceil(wait)
