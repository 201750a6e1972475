"""One look at every part that the service stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from qa_queue.errors import QAError, RedisUnavailableError
from qa_queue.extensions import queue_names
from qa_queue.monitoring.oldest import oldest_waiting
from qa_queue.monitoring.scheduler_heartbeat import SchedulerState, read_scheduler
from qa_queue.queues import QueueManager
from qa_queue.redis import RedisClient, explain_among
from qa_queue.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Health:
    """What a health check found. `redis` and `supabase` say what is wrong with them, None when nothing is.

    `workers` alive and `oldest_waiting_s`, seconds, by queue; where nothing waits, a queue is left out.
    While Redis is away nothing is known of them, nor of the scheduler.
    """

    redis: str | None = None
    supabase: str | None = None
    scheduler: SchedulerState | None = None
    workers: dict[str, int] = field(default_factory=dict)
    oldest_waiting_s: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether runs can be taken and recorded: both stores answer."""
        return self.redis is None and self.supabase is None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What else is not as it should be, in sentences."""
        idle = [name for name in self.oldest_waiting_s if not self.workers.get(name)]
        found = [f"Jobs wait on {name}, and no worker serves it: start one." for name in idle]
        if self.scheduler is not None and self.scheduler.stopped:
            found.append(
                f"The scheduler has been silent since {self.scheduler.last:%Y-%m-%d %H:%M:%S} UTC: start it."
            )
        return tuple(found)


def health_check(settings: Settings, client: RedisClient, check_store: Callable[[], None]) -> Health:
    """Look at every part; `check_store` raises what is wrong with the store. Raises nothing itself."""
    supabase = None
    try:
        check_store()
    except QAError as error:
        supabase = str(error)
    try:
        connection = client.connect()
    except QAError as error:
        return Health(redis=str(error), supabase=supabase)
    try:
        stats = QueueManager(connection, settings).get_queue_stats()
        return Health(
            supabase=supabase,
            scheduler=read_scheduler(connection),
            workers={name: one.workers for name, one in stats.items()},
            oldest_waiting_s=oldest_waiting(connection, list(stats)),
        )
    except RedisUnavailableError as error:
        return Health(redis=str(error), supabase=supabase)
    except RedisError as error:
        return Health(redis=explain_among(error, connection, queue_names()), supabase=supabase)
