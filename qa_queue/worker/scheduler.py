"""The scheduler, `python -m qa_queue.worker.scheduler`: periodic tasks of the service, each in a thread.

It enqueues due jobs, as every worker does, serves the schedules, compares runs with their jobs, sends its own
heartbeat and evaluates the alert rules. No module of this package imports this one: Python warns about a module
that is run after it was imported.
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

from qa_queue.auth.audit import AuditLog
from qa_queue.errors import RedisUnavailableError, SettingsError
from qa_queue.extensions import queue_names
from qa_queue.models import QueueName
from qa_queue.monitoring import HEARTBEAT_S, send_heartbeat
from qa_queue.monitoring.alerts import AlertMonitor
from qa_queue.redis import RedisClient, connection_of
from qa_queue.redis.connections import ANSWER_TIMEOUT_S
from qa_queue.schedules import ScheduleRunner
from qa_queue.settings import Settings, load_settings
from qa_queue.settings.logs import configure_logging
from qa_queue.store.protocol import RunStore
from qa_queue.store.supabase import SupabaseStore
from qa_queue.worker.periodic import PeriodicTask, enqueue_due, run_in_threads
from qa_queue.worker.reconciler import Reconciler

log = logging.getLogger(__name__)

_DUE_JOBS_S = 1.0
_SCHEDULES_S = 0.5  # one light call to the store
_ALERTS_S = 1.0
_STORE_CHECK_S = 5.0
_RECONCILE_S = 2.0
_AUDIT_S = 5.0
_EXPIRE_AUDIT_S = 6 * 3600.0
_GRACE_S = 5.0  # for messages that are being sent


def enqueue_all_due(connection: Redis) -> None:
    """Enqueue the due jobs of every queue; raise the last error after all queues were handled."""
    failed: Exception | None = None
    for queue in queue_names():
        try:
            enqueue_due(connection_of(connection, queue), queue)
        except (RedisError, RedisUnavailableError) as error:  # of one queue's own server, perhaps
            failed = error
    if failed is not None:
        raise failed


def schedule_tasks(connection: Redis, store: RunStore | None, settings: Settings) -> list[PeriodicTask]:
    """Return the task that starts due schedules; none without a store."""
    if store is None:
        return []
    runner = ScheduleRunner(connection, store, settings)
    return [PeriodicTask(name="serve the schedules", every_s=_SCHEDULES_S, do=runner.serve_due)]


def reconciler_tasks(
    connection: Redis, store: RunStore | None, settings: Settings, name: str
) -> list[PeriodicTask]:
    """Return the task that keeps runs and jobs in step; none without a store."""
    if store is None:
        return []
    runs = connection_of(connection, QueueName.TEST_EXECUTION)
    reconciler = Reconciler(runs, store, settings, name=name, connection_of=partial(connection_of, connection))
    return [PeriodicTask(name="compare runs with their jobs", every_s=_RECONCILE_S, do=reconciler.run)]


def audit_tasks(connection: Redis, store: RunStore | None, settings: Settings) -> list[PeriodicTask]:
    """Return the tasks that store audit entries that waited, and delete old rows; none without a store."""
    if store is None:
        return []
    log = AuditLog(connection, lambda: store)
    expire = partial(store.audit.expire, settings.qa_keep_audit_days)
    return [
        PeriodicTask(name="store waiting audit entries", every_s=_AUDIT_S, do=log.store_waiting),
        PeriodicTask(name="delete old audit entries", every_s=_EXPIRE_AUDIT_S, do=expire),
    ]


def alert_tasks(monitor: AlertMonitor) -> list[PeriodicTask]:
    """Return the tasks of the alert monitor."""
    return [
        PeriodicTask(name="evaluate the alert rules", every_s=_ALERTS_S, do=monitor.run),
        PeriodicTask(name="check Supabase for alerts", every_s=_STORE_CHECK_S, do=monitor.check_store),
    ]


def main() -> None:
    """Run every task until SIGTERM or SIGINT."""
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
    name = f"{socket.gethostname()}:{os.getpid()}"
    store = _store(settings)
    monitor = AlertMonitor(settings, name=f"scheduler {name}", store=store)
    tasks = [
        PeriodicTask(name="enqueue due jobs", every_s=_DUE_JOBS_S, do=partial(enqueue_all_due, connection)),
        *schedule_tasks(connection, store, settings),
        *reconciler_tasks(connection, store, settings, name),
        *audit_tasks(connection, store, settings),
        *alert_tasks(monitor),
        PeriodicTask(name="send its heartbeat", every_s=HEARTBEAT_S, do=partial(send_heartbeat, connection, name)),
    ]
    run_in_threads(tasks, stop)
    monitor.close(_GRACE_S)


def _store(settings: Settings) -> RunStore | None:
    try:
        return SupabaseStore.from_settings(settings)
    except SettingsError as error:
        log.warning("No schedules are started, and no alerts are sent about Supabase: %s", error)
        return None


if __name__ == "__main__":
    main()
