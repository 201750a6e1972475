"""How long to wait before the next attempt. Pure: randomness is an argument."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from qa_queue.models import Frozen

BASE_MS = 2000
CAP_MS = 300_000
LONGEST_MS = 24 * 3600 * 1000


class Backoff(Frozen):
    """How a job waits between its attempts: `exponential` doubles from `delay_ms` with jitter, `fixed` repeats it.

    RQ keeps delays in whole seconds, so what is shorter waits 1 s.
    """

    kind: Literal["exponential", "fixed"] = "exponential"
    delay_ms: int = Field(default=BASE_MS, ge=0, le=LONGEST_MS)

    def wait_ms(self, attempt: int, *, jitter: float) -> int:
        """Delay in ms before the attempt after attempt number `attempt`; `jitter` in 0..1."""
        if self.kind == "fixed":
            return self.delay_ms
        cap_ms = max(CAP_MS, self.delay_ms)
        return exponential(attempt, jitter=jitter, base_ms=self.delay_ms, cap_ms=cap_ms)


EXPONENTIAL = Backoff()


def exponential(attempt: int, *, jitter: float, base_ms: int = BASE_MS, cap_ms: int = CAP_MS) -> int:
    """Delay in ms before the attempt after attempt number `attempt` (1 is the first).

    Doubles from `base_ms` up to `cap_ms`; `jitter` in 0..1 takes away up to half, so that jobs which failed
    together do not return together ("equal jitter", Brooker 2015, AWS Architecture Blog).
    """
    full: int = min(cap_ms, base_ms << min(attempt - 1, 30))
    return round(full / 2 + full / 2 * jitter)


def schedule(attempts: int, *, jitters: tuple[float, ...], backoff: Backoff = EXPONENTIAL) -> list[int]:
    """The delays between `attempts` attempts, in whole seconds of at least 1, as `rq.Retry(interval=...)` takes."""
    return [
        max(1, round(backoff.wait_ms(n, jitter=j) / 1000)) for n, j in zip(range(1, attempts), jitters, strict=True)
    ]
