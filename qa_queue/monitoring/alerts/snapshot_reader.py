"""Reads the snapshot that the rules look at: pipelines to Redis, the disk, and what a probe says of Supabase."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq.registry import FailedJobRegistry

from qa_queue.errors import RedisUnavailableError
from qa_queue.extensions import queue_names
from qa_queue.monitoring import WorkerState, read_scheduler, read_workers
from qa_queue.monitoring.alerts.probe import Answer
from qa_queue.monitoring.alerts.roster import Roster, call
from qa_queue.monitoring.alerts.snapshot import QueueView, RunCounts, Snapshot
from qa_queue.monitoring.oldest import read_oldest
from qa_queue.queues.jobs import FAILURE_TTL_S
from qa_queue.queues.stats import QueueStats, read_stats
from qa_queue.redis import address_of, by_server, connection_of, explain
from qa_queue.redis.counters import FAILED, OUTCOMES_KEY
from qa_queue.settings.rules import queue_variable


def read_snapshot(
    connection: Redis, home: Path, windows: Iterable[float], roster: Roster, supabase: Answer
) -> tuple[Snapshot, Roster]:
    """The service now, and the workers as they are known from now on.

    Raises:
        redis.exceptions.RedisError: the main Redis failed; `without_redis` is what is left to be seen.
    """
    now = time.time()
    workers: list[WorkerState] = []
    views: list[QueueView] = []
    there, away = _reachable(connection, queue_names())
    for server, queues in by_server(connection, there):
        try:
            states = read_workers(server, tuple(roster.known))
            views += _views(server, queues, sorted(windows), now)
        except RedisError as error:
            if server is connection:
                raise
            address = address_of(server)
            away |= {name: explain(error, address, queue_variable(name)) for name in queues}
        else:
            workers += states
    called = call(roster, _merged(workers), now, away)
    scheduler = read_scheduler(connection)
    snapshot = Snapshot(
        at=now,
        supabase=supabase.error,
        supabase_known=supabase.known,
        queues=tuple(views),
        queues_away=away,
        lost=called.lost,
        scheduler_silent_since=scheduler.last if scheduler.stopped else None,
        disks=_disks(home, workers),
    )
    return snapshot, called


def without_redis(connection: Redis | None, error: Exception, supabase: Answer) -> Snapshot:
    """The service now, as far as it is seen while Redis is away."""
    words = explain(error, address_of(connection)) if connection and isinstance(error, RedisError) else str(error)
    return Snapshot(at=time.time(), redis=words, supabase=supabase.error, supabase_known=supabase.known)


def _reachable(connection: Redis, names: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """The queues to which there is a connection, and why there is none to the others, by name."""
    there: list[str] = []
    away: dict[str, str] = {}
    for name in names:
        try:
            connection_of(connection, name)
            there.append(name)
        except RedisUnavailableError as error:
            away[name] = str(error)
    return there, away


def _merged(workers: Iterable[WorkerState]) -> list[WorkerState]:
    """One state a worker: a name that another server does not know says nothing."""
    found: dict[str, WorkerState] = {}
    for worker in workers:
        if worker.alive or worker.signed_off or worker.name not in found:
            found[worker.name] = worker
    return list(found.values())


def _views(connection: Redis, names: Sequence[str], windows: Sequence[float], now: float) -> list[QueueView]:
    stats = read_stats(connection, names)
    oldest = read_oldest(connection, names, datetime.fromtimestamp(now, UTC))
    dead = _dead(connection, names, windows, now)
    outcomes = _outcomes(connection, names, windows, now)
    return [_view(stats[name], oldest.get(name), dead[name], outcomes[name]) for name in names]


def _view(
    stats: QueueStats, oldest_s: float | None, dead: dict[float, int], outcomes: dict[float, RunCounts]
) -> QueueView:
    return QueueView(
        name=stats.name,
        waiting=stats.waiting,
        workers=stats.workers,
        paused=stats.paused,
        oldest_s=oldest_s,
        dead=dead,
        outcomes=outcomes,
    )


def _dead(
    connection: Redis, names: Sequence[str], windows: Sequence[float], now: float
) -> dict[str, dict[float, int]]:
    """Jobs that died within each window; the registry of failures is ordered by the moment of expiry."""
    pipeline = connection.pipeline(transaction=False)
    for name in names:
        for window in windows:
            pipeline.zcount(FailedJobRegistry.key_template.format(name), now - window + FAILURE_TTL_S, "+inf")
    answers = iter(pipeline.execute())
    return {name: {window: int(next(answers)) for window in windows} for name in names}


def _outcomes(
    connection: Redis, names: Sequence[str], windows: Sequence[float], now: float
) -> dict[str, dict[float, RunCounts]]:
    """How jobs ended, by queue and window, from the counts of each minute."""
    minutes = [int(now // 60) - back for back in range(int(max(windows, default=0) // 60) + 1)]
    pipeline = connection.pipeline(transaction=False)
    for minute in minutes:
        pipeline.hgetall(f"{OUTCOMES_KEY}{minute}")
    counts = list(pipeline.execute())
    return {name: {window: _sum(name, counts[: int(window // 60) + 1]) for window in windows} for name in names}


def _sum(queue: str, minutes: Sequence[Mapping[Any, Any]]) -> RunCounts:
    total = failed = 0
    for counts in minutes:
        for field, count in counts.items():
            name, _, outcome = field.decode().partition("|")
            if name == queue and outcome != "cancelled":
                total += int(count)
                failed += int(count) if outcome in FAILED else 0
    return RunCounts(total=total, failed=failed)


def _disks(home: Path, workers: Iterable[WorkerState]) -> dict[str, int]:
    """Bytes free under QA_HOME, here and on every host that reports; the least where a host has several."""
    folder = next(path for path in (home.resolve(), *home.resolve().parents) if path.exists())
    disks = {socket.gethostname(): shutil.disk_usage(folder).free}
    for worker in workers:
        if worker.alive and worker.disk_free is not None:
            disks[worker.host] = min(worker.disk_free, disks.get(worker.host, worker.disk_free))
    return disks
