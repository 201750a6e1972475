"""`python -m qa_queue.worker.scheduler`: whatever is to be done at set times, as a list of duties.

Putting jobs whose time has come on their queues is one of them; every worker does that too.

Nothing in this package imports this module, for Python warns about a module that is run after it was imported.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from functools import partial

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.errors import RedisUnavailableError, SettingsError
from qa_queue.extensions import queue_names
from qa_queue.monitoring import HEARTBEAT_S, send_heartbeat
from qa_queue.monitoring.alerts import AlertMonitor
from qa_queue.redis import RedisClient, connection_of
from qa_queue.redis.connections import ANSWER_TIMEOUT_S
from qa_queue.schedules import ScheduleRunner
from qa_queue.settings import Settings, load_settings
from qa_queue.settings.logs import configure_logging
from qa_queue.store.protocol import RunStore
from qa_queue.store.supabase import SupabaseStore
from qa_queue.worker.periodic import PeriodicTask, enqueue_due, serve

log = logging.getLogger(__name__)

_PAUSE = 1.0  # s
_LOOK = 0.5  # s, for schedules: one light call to the store
_STORE_CHECK = 5.0  # s
_GRACE = 5.0  # s, for messages on their way


def enqueue_all_due(connection: Redis) -> None:
    """Put the due jobs of every queue on it; raises what failed when all were looked after."""
    failed: Exception | None = None
    for queue in queue_names():
        try:
            enqueue_due(connection_of(connection, queue), queue)
        except (RedisError, RedisUnavailableError) as error:  # of one queue's own server, perhaps
            failed = error
    if failed is not None:
        raise failed


def duties_of(connection: Redis) -> list[PeriodicTask]:
    """Everything that the scheduler does; a new duty is a new line here."""
    return [
        PeriodicTask(name="put due jobs on their queues", every_s=_PAUSE, do=partial(enqueue_all_due, connection)),
    ]


def schedule_duties(connection: Redis, store: RunStore | None, settings: Settings) -> list[PeriodicTask]:
    """Return the task of starting due schedules; none without a store."""
    if store is None:
        return []
    runner = ScheduleRunner(connection, store, settings)
    return [PeriodicTask(name="serve the schedules", every_s=_LOOK, do=runner.serve_due)]


def alert_duties(monitor: AlertMonitor) -> list[PeriodicTask]:
    """Return the tasks of the alert monitor."""
    return [
        PeriodicTask(name="evaluate the alert rules", every_s=_PAUSE, do=monitor.run),
        PeriodicTask(name="check Supabase for alerts", every_s=_STORE_CHECK, do=monitor.check_store),
    ]


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        connection = RedisClient(settings, socket_timeout=ANSWER_TIMEOUT_S).connect()
    except RedisUnavailableError as error:
        raise SystemExit(str(error)) from None
    log.info("The scheduler serves %s", ", ".join(queue_names()))
    store = _store(settings)
    monitor = AlertMonitor(settings, name=f"scheduler {_name()}", store=store)
    heartbeat = PeriodicTask(
        name="send its heartbeat", every_s=HEARTBEAT_S, do=partial(send_heartbeat, connection, _name())
    )
    schedules = schedule_duties(connection, store, settings)
    serve([*duties_of(connection), *schedules, *alert_duties(monitor), heartbeat], stop)
    monitor.close(_GRACE)


def _store(settings: Settings) -> RunStore | None:
    try:
        return SupabaseStore.from_settings(settings)
    except SettingsError as error:
        log.warning("No schedules are started, and no alerts are sent about Supabase: %s", error)
        return None


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


if __name__ == "__main__":
    main()
