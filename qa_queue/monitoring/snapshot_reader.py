"""Reading a snapshot of the service: pipelines to every Redis, and the free space of the disk.

Nothing is changed by reading.
"""

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
from rq.utils import as_text, str_to_date

from qa_queue.errors import RedisUnavailableError
from qa_queue.extensions import queue_names
from qa_queue.models import utc_now
from qa_queue.monitoring.heartbeats import WorkerState, read_workers
from qa_queue.monitoring.snapshot import KnownWorkers, QueueSnapshot, RunCounts, Snapshot
from qa_queue.progress.events import stream_key
from qa_queue.queues.enqueue import BAND_US
from qa_queue.queues.jobs import FAILURE_TTL_S
from qa_queue.queues.keys import JOB_PREFIX, QueueKeys
from qa_queue.queues.stats import read_stats
from qa_queue.redis import address_of, by_server, connection_of, explain
from qa_queue.redis.counters import FAILED, OUTCOMES_KEY
from qa_queue.settings.redis import queue_variable

OLDEST_OF_BAND = 20  # jobs of each band of priorities whose age is read
# A band is in order of arrival, except that a LOW job stands among NORMAL ones that arrived 10 minutes later.
_BANDS = (("-inf", f"({-BAND_US}"), (-BAND_US, "(0"), (0, "+inf"))
_LISTS = len(_BANDS) + 2


def read_snapshot(
    connection: Redis, home: Path, windows: Iterable[float], workers: KnownWorkers
) -> tuple[Snapshot, KnownWorkers]:
    """Return the service at this moment without its Supabase, and the workers known from now on.

    `windows` are those of dead letters and outcomes, in s; `workers` are the known ones of the last snapshot.

    Raises:
        redis.exceptions.RedisError: the main Redis failed; use `snapshot_without_redis`.
    """
    now = time.time()
    states: list[WorkerState] = []
    queues: list[QueueSnapshot] = []
    reachable, unavailable = _reachable(connection, queue_names())
    for server, names in by_server(connection, reachable):
        try:
            found = read_workers(server, tuple(workers.known))
            queues += _read_queues(server, names, sorted(windows), now)
        except RedisError as error:
            if server is connection:
                raise
            address = address_of(server)
            unavailable |= {name: explain(error, address, queue_variable(name)) for name in names}
        else:
            states += found
    known = workers.after(_merged(states), now, unavailable=unavailable)
    snapshot = Snapshot(
        at=now,
        queues=tuple(queues),
        queues_unavailable=unavailable,
        lost=known.lost,
        disks=_disks(home, states),
    )
    return snapshot, known


def snapshot_without_redis(connection: Redis | None, error: Exception) -> Snapshot:
    """Return the service at this moment as far as it can be seen without Redis."""
    problem = explain(error, address_of(connection)) if connection and isinstance(error, RedisError) else str(error)
    return Snapshot(at=time.time(), redis=problem)


def oldest_waiting(connection: Redis, names: Iterable[str]) -> dict[str, float]:
    """Return the age of the oldest waiting job of each of these queues, in s; queues without one are left out.

    Takes two round trips for each Redis. LOW jobs are found if they are among the first 20 of their band.

    Raises:
        redis.exceptions.RedisError: a Redis failed.
    """
    now = utc_now()
    return {
        name: age
        for server, queues in by_server(connection, names)
        for name, age in _read_oldest(server, queues, now).items()
    }


def _reachable(connection: Redis, names: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Return the queues that have a connection, and by name why the others have none."""
    reachable: list[str] = []
    unavailable: dict[str, str] = {}
    for name in names:
        try:
            connection_of(connection, name)
            reachable.append(name)
        except RedisUnavailableError as error:
            unavailable[name] = str(error)
    return reachable, unavailable


def _merged(states: Iterable[WorkerState]) -> list[WorkerState]:
    """Return one state for each worker; that of a server which knows the worker comes first."""
    found: dict[str, WorkerState] = {}
    for state in states:
        if state.alive or state.signed_off or state.name not in found:
            found[state.name] = state
    return list(found.values())


def _read_queues(
    connection: Redis, names: Sequence[str], windows: Sequence[float], now: float
) -> list[QueueSnapshot]:
    stats = read_stats(connection, names)
    oldest = _read_oldest(connection, names, datetime.fromtimestamp(now, UTC))
    silent = {name: _read_silence(connection, name) for name in names}
    dead = _read_dead(connection, names, windows, now)
    outcomes = _read_outcomes(connection, names, windows, now)
    return [
        QueueSnapshot(
            name=name,
            waiting=stats[name].waiting,
            workers=stats[name].workers,
            paused=stats[name].paused,
            oldest_s=oldest.get(name),
            silent_s=silent[name],
            dead=dead[name],
            outcomes=outcomes[name],
        )
        for name in names
    ]


def _read_oldest(connection: Redis, names: Sequence[str], now: datetime) -> dict[str, float]:
    ids = _candidates(connection, names)
    flat = [(name, job_id) for name, found in ids.items() for job_id in found]
    ages: dict[str, float] = {}
    for (name, _), moment in zip(flat, _enqueued_at(connection, [job_id for _, job_id in flat]), strict=True):
        if moment is not None:
            ages[name] = max(ages.get(name, 0.0), (now - moment).total_seconds())
    return ages


def _candidates(connection: Redis, names: Sequence[str]) -> dict[str, set[str]]:
    """Return by queue the ids of the jobs among which the oldest one is."""
    pipeline = connection.pipeline(transaction=False)
    for name in names:
        keys = QueueKeys(name)
        for lowest, highest in _BANDS:
            pipeline.zrangebyscore(keys.scores, lowest, highest, start=0, num=OLDEST_OF_BAND)
        pipeline.zrange(keys.parked, 0, OLDEST_OF_BAND - 1)
        pipeline.lrange(keys.waiting, 0, 0)  # a job pushed by plain RQ code has no rank at first
    answers: list[Any] = pipeline.execute()
    parts = {name: answers[at * _LISTS : (at + 1) * _LISTS] for at, name in enumerate(names)}
    return {name: {str(as_text(i)) for part in lists for i in part} for name, lists in parts.items()}


def _enqueued_at(connection: Redis, job_ids: Sequence[str]) -> list[datetime | None]:
    """Return when each of these jobs was enqueued; None for an id without a job."""
    pipeline = connection.pipeline(transaction=False)
    for job_id in job_ids:
        pipeline.hmget(f"{JOB_PREFIX}{job_id}", "enqueued_at", "created_at")
    answers: list[Any] = pipeline.execute(raise_on_error=False)
    return [None if isinstance(one, Exception) else _moment(one[0]) or _moment(one[1]) for one in answers]


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, bytes) or not value:
        return None
    try:
        found: datetime | None = str_to_date(value)
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def _read_silence(connection: Redis, name: str) -> dict[str, float]:
    """Return the seconds since the start or the last progress of each running job, by id; Redis' clock counts."""
    entries: Any = connection.zrange(QueueKeys(name).started, 0, -1)
    ids = [str(as_text(entry)).split(":")[0] for entry in entries]
    pipeline = connection.pipeline(transaction=False)
    for job_id in ids:
        pipeline.hget(f"{JOB_PREFIX}{job_id}", "started_at")
        pipeline.xrevrange(stream_key(job_id), count=1)
    pipeline.time()
    *answers, (seconds, _) = pipeline.execute(raise_on_error=False)
    silent = {}
    for job_id, started, reports in zip(ids, answers[::2], answers[1::2], strict=True):
        moments = [moment.timestamp()] if (moment := _moment(started)) else []
        moments += [int(report[0].split(b"-")[0]) / 1000 for report in reports if isinstance(reports, list)]
        if moments:
            silent[job_id] = max(0.0, seconds - max(moments))
    return silent


def _read_dead(
    connection: Redis, names: Sequence[str], windows: Sequence[float], now: float
) -> dict[str, dict[float, int]]:
    """Return dead letters by queue and window; the registry of failed jobs is ordered by time of expiry."""
    pipeline = connection.pipeline(transaction=False)
    for name in names:
        for window in windows:
            pipeline.zcount(FailedJobRegistry.key_template.format(name), now - window + FAILURE_TTL_S, "+inf")
    answers = iter(pipeline.execute())
    return {name: {window: int(next(answers)) for window in windows} for name in names}


def _read_outcomes(
    connection: Redis, names: Sequence[str], windows: Sequence[float], now: float
) -> dict[str, dict[float, RunCounts]]:
    """Return outcomes of runs by queue and window, summed up from the counts of each minute."""
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


def _disks(home: Path, states: Iterable[WorkerState]) -> dict[str, int]:
    """Return the bytes free under QA_HOME on this host and on every host that reports; the least if several do."""
    folder = next(path for path in (home.resolve(), *home.resolve().parents) if path.exists())
    disks = {socket.gethostname(): shutil.disk_usage(folder).free}
    for state in states:
        if state.alive and state.disk_free is not None:
            disks[state.host] = min(state.disk_free, disks.get(state.host, state.disk_free))
    return disks
