"""What a worker does at intervals, on a monotonic clock."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from redis.exceptions import RedisError

log = logging.getLogger(__name__)


@dataclass
class Periodic:
    """Calls `act` every `every` seconds; `due` is the clock's reading of the next call."""

    every: float
    act: Callable[[], None]
    due: float = field(default=0.0)

    def run(self, now: float) -> bool:
        """Call it if it is due; False when Redis failed, which the next turn tries again."""
        if now < self.due:
            return True
        self.due = now + self.every
        try:
            self.act()
        except RedisError as error:
            log.warning("Redis cannot be reached (%s); trying again in %.0f s", error, self.every)
            return False
        return True
