"""The health check of the service: both stores, workers, waiting jobs and the scheduler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from qa_queue.errors import QAError, RedisUnavailableError
from qa_queue.extensions import queue_names
from qa_queue.monitoring.heartbeats import SchedulerState, read_scheduler
from qa_queue.monitoring.snapshot_reader import oldest_waiting
from qa_queue.queues import QueueManager
from qa_queue.redis import RedisClient, explain_among
from qa_queue.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Health:
    """The result of a health check. `redis` and `supabase` are error messages, None if the part can be used.

    `workers` (alive) and `oldest_waiting_s` (age in s; queues without a waiting job are left out) are by queue.
    They and `scheduler` are unknown while Redis is unavailable.
    """

    redis: str | None = None
    supabase: str | None = None
    scheduler: SchedulerState | None = None
    workers: dict[str, int] = field(default_factory=dict)
    oldest_waiting_s: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True if runs can be accepted and recorded: both stores answer."""
        return self.redis is None and self.supabase is None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Other faults, each as a sentence."""
        unserved = [name for name in self.oldest_waiting_s if not self.workers.get(name)]
        found = [f"Jobs wait on {name}, and no worker serves it: start one." for name in unserved]
        if self.scheduler is not None and self.scheduler.stopped:
            last = f"{self.scheduler.last:%Y-%m-%d %H:%M:%S}"
            found.append(f"The scheduler has sent no heartbeat since {last} UTC: start it.")
        return tuple(found)


def health_check(settings: Settings, client: RedisClient, check_store: Callable[[], None]) -> Health:
    """Check every part and return the findings; `check_store` raises a `QAError` if the store cannot be used."""
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
