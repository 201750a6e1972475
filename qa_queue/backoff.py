"""How long to wait before the next attempt. Pure: randomness is an argument."""

from __future__ import annotations

BASE_MS = 2000
CAP_MS = 300_000


def exponential(attempt: int, *, jitter: float, base_ms: int = BASE_MS, cap_ms: int = CAP_MS) -> int:
    """Delay in ms before the attempt after attempt number `attempt` (1 is the first).

    Doubles from `base_ms` up to `cap_ms`; `jitter` in 0..1 takes away up to half, so that jobs which failed
    together do not return together ("equal jitter", Brooker 2015, AWS Architecture Blog).
    """
    full: int = min(cap_ms, base_ms << min(attempt - 1, 30))
    return round(full / 2 + full / 2 * jitter)


def schedule(attempts: int, *, jitters: tuple[float, ...]) -> list[int]:
    """The delays between `attempts` attempts, in whole seconds of at least 1, as `rq.Retry(interval=...)` takes."""
    return [
        max(1, round(exponential(n, jitter=j) / 1000)) for n, j in zip(range(1, attempts), jitters, strict=True)
    ]
