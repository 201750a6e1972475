"""The delay before the next attempt. Pure: randomness is an argument."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from qa_queue.models.values import Frozen

BASE_MS = 2000
CAP_MS = 300_000
LONGEST_MS = 24 * 3600 * 1000


class Backoff(Frozen):
    """The delays between a job's attempts: `exponential` doubles from `delay_ms` with jitter, `fixed` repeats it.

    RQ stores delays in whole seconds, so shorter delays take 1 s.
    """

    kind: Literal["exponential", "fixed"] = "exponential"
    delay_ms: int = Field(default=BASE_MS, ge=0, le=LONGEST_MS)

    def wait_ms(self, attempt: int, *, jitter: float) -> int:
        """Return the delay in ms after attempt number `attempt`; `jitter` in 0..1."""
        if self.kind == "fixed":
            return self.delay_ms
        cap_ms = max(CAP_MS, self.delay_ms)
        return exponential(attempt, jitter=jitter, base_ms=self.delay_ms, cap_ms=cap_ms)


EXPONENTIAL = Backoff()


def exponential(attempt: int, *, jitter: float, base_ms: int = BASE_MS, cap_ms: int = CAP_MS) -> int:
    """Return the delay in ms after attempt number `attempt` (1 is the first).

    It doubles from `base_ms` up to `cap_ms`; `jitter` in 0..1 removes up to half of it, so that jobs which failed
    together do not retry together ("equal jitter", Brooker 2015, AWS Architecture Blog).
    """
    full: int = min(cap_ms, base_ms << min(attempt - 1, 30))
    return round(full / 2 + full / 2 * jitter)


def schedule(attempts: int, *, jitters: tuple[float, ...], backoff: Backoff = EXPONENTIAL) -> list[int]:
    """Return the delays between `attempts` attempts for `rq.Retry(interval=...)`: whole seconds, at least 1."""
    return [
        max(1, round(backoff.wait_ms(n, jitter=j) / 1000)) for n, j in zip(range(1, attempts), jitters, strict=True)
    ]
