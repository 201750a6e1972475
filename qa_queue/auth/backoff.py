"""Back-off after failed logins, by account and by address.

The first failures are free; then each one doubles the time until the next attempt is checked. A caller with a
valid token is identified before this is consulted, so no number of failures keeps a token out.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE = 5
MAX_WAIT_S = 60.0
FORGET_S = 900.0  # after the last failure
MAX_KEYS = 10_000  # kept in memory; the one that was quiet for longest is forgotten


@dataclass(frozen=True)
class Failures:
    """Failed logins of one account or address; `last` is the time of the latest one, in seconds."""

    count: int
    last: float


def after_failure(failures: Failures | None, now: float) -> Failures:
    """Return the failures after one more."""
    known = failures is not None and now - failures.last < FORGET_S
    return Failures(failures.count + 1 if failures and known else 1, now)


def wait_s(failures: Failures | None, now: float) -> float:
    """Return the seconds until the next attempt is looked at; 0 when it may be made now."""
    if failures is None or failures.count <= FREE or now - failures.last >= FORGET_S:
        return 0.0
    pause = min(MAX_WAIT_S, 2.0 ** min(failures.count - FREE - 1, 16))
    return max(0.0, failures.last + pause - now)


class FailureLimiter:
    """Failures by key, in the memory of this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, Failures] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, *keys: str) -> int:
        """Return the whole seconds until an attempt with these keys is looked at; 0 when it may be made now."""
        now = self._clock()
        with self._lock:
            return math.ceil(max(wait_s(self._failures.get(key), now) for key in keys))

    def failed(self, *keys: str) -> int:
        """Count a failed attempt; return the whole seconds until the next one is looked at."""
        now = self._clock()
        with self._lock:
            for key in keys:
                self._failures[key] = after_failure(self._failures.pop(key, None), now)
            while len(self._failures) > MAX_KEYS:
                self._failures.popitem(last=False)
        return self.wait_s(*keys)
