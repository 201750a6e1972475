"""When a process of the service that ended is started again. Pure: times are arguments."""

from __future__ import annotations

from collections.abc import Sequence

WINDOW = 60.0  # s
MOST_STARTS = 5  # within the window


def restart_delay(starts: Sequence[float], now: float) -> float | None:
    """Seconds to wait before the next start; None means to give up.

    `starts` are the times, in seconds, at which the process was started so far. The first restart within the
    window is immediate, the next ones wait 1, 2 and 4 s.
    """
    recent = sum(1 for start in starts if now - start <= WINDOW)
    if recent >= MOST_STARTS:
        return None
    return 0.0 if recent <= 1 else 2.0 ** (recent - 2)
