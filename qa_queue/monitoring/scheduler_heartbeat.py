"""The scheduler says that it lives: a key that goes away when it stops saying so."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis

BEAT_KEY = "qa:scheduler:beat"  # there while a scheduler lives
LAST_KEY = "qa:scheduler:last"  # the moment of the latest beat, in s since 1970
BEAT_S = 5.0
TTL_S = 15  # after which a silent scheduler counts as stopped
REMEMBER_S = 7 * 24 * 3600  # after which it counts as given up


@dataclass(frozen=True, kw_only=True)
class SchedulerState:
    """`alive` while its heartbeat comes; `last` is the latest one, None where there was none for a week."""

    alive: bool
    last: datetime | None = None

    @property
    def stopped(self) -> bool:
        """Whether there was one and is none any more."""
        return not self.alive and self.last is not None


def beat(connection: Redis, name: str) -> None:
    """Say that the scheduler of this name lives. Several at once are as good as one.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    pipeline = connection.pipeline(transaction=False)
    pipeline.set(BEAT_KEY, name, ex=TTL_S)
    pipeline.set(LAST_KEY, f"{time.time():.3f}", ex=REMEMBER_S)
    pipeline.execute()


def read_scheduler(connection: Redis) -> SchedulerState:
    """Whether a scheduler lives; one round trip.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    answer: Any = connection.mget(BEAT_KEY, LAST_KEY)
    alive, last = answer
    return SchedulerState(
        alive=alive is not None, last=datetime.fromtimestamp(float(last), UTC) if last is not None else None
    )
