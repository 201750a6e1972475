"""The metrics of the service for Prometheus; each is read where it is kept, when it is requested.

Nothing here counts since the start of this process: runs are made by other processes and outlive all of them. The
workers count in Redis (see `Counts`).
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError

from qa_queue.errors import QAError
from qa_queue.extensions import queue_names
from qa_queue.monitoring import WorkerState, oldest_waiting, read_scheduler, read_workers
from qa_queue.monitoring.alerts import Alert, firing
from qa_queue.redis import by_server
from qa_queue.redis.counters import (
    BROWSER_RESTARTS,
    COUNTS_KEY,
    JOB_BOUNDS_MS,
    PROCESS_DEATHS,
    STEP_BOUNDS_MS,
    Histogram,
    histograms,
    refused_rules,
    retries_field,
)
from qa_queue.services import Backend
from qa_queue.store.records import RunRecord

STORE_S = 15.0  # the store is asked at most so often, however many ask
NEWEST = 200
_STATES = ("waiting", "processing", "delayed", "completed", "failed", "cancelled")
_PHASES = ("waiting", "starting", "running")
_QUANTILES = (0.5, 0.95)


class Metrics:
    """The figures of one service."""

    def __init__(self, backend: Backend) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Queues(backend))
        self._registry.register(Counts(backend))
        self._registry.register(_Runs(backend))

    def text(self) -> str:
        """The figures in Prometheus's text format; of a part that is unavailable, only that it is."""
        return generate_latest(self._registry).decode()


class _Queues(Collector):
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Jobs, workers and the oldest job by queue."""
        up = GaugeMetricFamily("qa_queue_redis_up", "Whether Redis answers.")
        try:
            queues = self._backend.queues.get_queue_stats().values()
            ages = oldest_waiting(self._backend.redis, [queue.name for queue in queues])
        except (QAError, RedisError):
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        jobs = GaugeMetricFamily(
            "qa_queue_jobs", "Jobs on a queue; failed ones are dead letters.", labels=["queue", "state"]
        )
        workers = GaugeMetricFamily("qa_queue_workers", "Workers alive.", labels=["queue"])
        oldest = GaugeMetricFamily(
            "qa_queue_oldest_waiting_seconds", "How long the oldest waiting job has waited.", labels=["queue"]
        )
        for queue in queues:
            oldest.add_metric([queue.name], ages.get(queue.name, 0))
            workers.add_metric([queue.name], queue.workers)
            for state in _STATES:
                jobs.add_metric([queue.name, state], getattr(queue, state))
        yield from (up, jobs, workers, oldest)


class _Runs(Collector):
    """Figures of runs from the store, cached for 15 s."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._known: list[GaugeMetricFamily] = []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield how runs ended, and how long the newest took."""
        with self._lock:
            now = time.monotonic()
            if self._read_at is None or now - self._read_at > STORE_S:
                self._known, self._read_at = self._read(), now
            yield from self._known

    def _read(self) -> list[GaugeMetricFamily]:
        up = GaugeMetricFamily("qa_queue_store_up", "Whether Supabase answers.")
        try:
            counts = self._backend.store.count_runs()
            newest = self._backend.store.list_runs(limit=NEWEST)
        except QAError:
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        runs = GaugeMetricFamily("qa_queue_runs", "Runs in the store, by status.", labels=["status"])
        for status, count in counts.items():
            runs.add_metric([status.value], count)
        return [up, runs, _durations([run for run in newest if run.status.final])]


def _durations(runs: Sequence[RunRecord]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "qa_queue_recent_run_seconds",
        f"How long those of the newest {NEWEST} runs took that have ended, by phase.",
        labels=["phase", "quantile"],
    )
    for phase in _PHASES:
        values = [value / 1000 for run in runs if (value := getattr(run, f"{phase}_ms")) is not None]
        for quantile in _QUANTILES if values else ():
            family.add_metric([phase, str(quantile)], quantile_of(values, quantile))
    return family


def quantile_of(values: Sequence[float], quantile: float) -> float:
    """The value below which this share of the values lies, between neighbours where it falls between them."""
    if len(values) == 1:
        return values[0]
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return cuts[round(quantile * 100) - 1]


class Counts(Collector):
    """Durations, outcomes, retries and restarts; what workers report of themselves; scheduler and alerts."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def collect(self) -> Iterator[Metric]:
        """All of it; nothing while Redis is unavailable, which `qa_queue_redis_up` tells."""
        try:
            redis = self._backend.redis
            counts, workers = _counts(redis), _workers(redis)
            scheduler, alerts = read_scheduler(redis).alive, firing(self._backend.alerts.load())
        except (QAError, RedisError):
            return
        yield _histogram(
            "qa_queue_job_duration_seconds",
            "How long the last attempt of each job that has ended took.",
            ("queue", "outcome"),
            histograms("job", counts.items()),
            JOB_BOUNDS_MS,
        )
        yield _histogram(
            "qa_queue_step_duration_seconds",
            "How long each step of a run took.",
            ("action", "status"),
            histograms("step", counts.items()),
            STEP_BOUNDS_MS,
        )
        yield from _counters(counts)
        yield from _outboxes(workers)
        yield GaugeMetricFamily("qa_queue_scheduler_up", "Whether a scheduler lives.", value=int(scheduler))
        yield _firing(alerts)


def _counts(redis: Redis) -> Counter[str]:
    """The counts of every Redis that has queues, added up."""
    total: Counter[str] = Counter()
    servers = {id(redis): redis} | {id(server): server for server, _ in by_server(redis, queue_names())}
    for server in servers.values():
        found: dict[bytes, bytes] = server.hgetall(COUNTS_KEY)  # type: ignore[assignment] # not a pipeline
        total.update({field.decode(): int(count) for field, count in found.items()})
    return total


def _workers(redis: Redis) -> list[WorkerState]:
    return [
        worker for server, _ in by_server(redis, queue_names()) for worker in read_workers(server) if worker.alive
    ]


def _histogram(
    name: str, about: str, labels: tuple[str, str], found: Sequence[Histogram], bounds_ms: Sequence[int]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, about, labels=labels)
    bounds = [*(f"{bound / 1000:g}" for bound in bounds_ms), "+Inf"]
    for one in found:
        buckets = list(zip(bounds, map(float, accumulate(one.buckets)), strict=True))
        family.add_metric(one.labels, buckets, one.sum_ms / 1000)
    return family


def _counters(counts: Counter[str]) -> Iterator[CounterMetricFamily]:
    retries = CounterMetricFamily(
        "qa_queue_job_retries", "Attempts that failed and were followed by another.", labels=["queue"]
    )
    for queue in queue_names():
        retries.add_metric([queue], counts[retries_field(queue)])
    yield retries
    restarts, deaths = counts[BROWSER_RESTARTS], counts[PROCESS_DEATHS]
    yield CounterMetricFamily("qa_queue_browser_restarts", "Browsers that died and were replaced.", value=restarts)
    refused = CounterMetricFamily(
        "qa_queue_egress_refused", "Connections of runs that the proxy refused.", labels=["rule"]
    )
    for rule, count in sorted(refused_rules(counts.items()).items()):
        refused.add_metric([rule], count)
    yield refused
    yield CounterMetricFamily("qa_queue_worker_process_deaths", "Workers' child processes that died.", value=deaths)


def _outboxes(workers: Sequence[WorkerState]) -> Iterator[GaugeMetricFamily]:
    """Workers of a host share an outbox, so the largest of their reports is that of the host."""
    size = GaugeMetricFamily("qa_queue_outbox_bytes", "Results that wait for Supabase on disk.", labels=["host"])
    segments = GaugeMetricFamily("qa_queue_outbox_segments", "Files that they wait in.", labels=["host"])
    disk = GaugeMetricFamily("qa_queue_disk_free_bytes", "Free under a worker's QA_HOME.", labels=["host"])
    for host in sorted({worker.host for worker in workers}):
        here = [worker for worker in workers if worker.host == host]
        size.add_metric([host], max(worker.outbox_bytes or 0 for worker in here))
        segments.add_metric([host], max(worker.outbox_segments or 0 for worker in here))
        if free := [worker.disk_free for worker in here if worker.disk_free is not None]:
            disk.add_metric([host], min(free))
    yield from (size, segments, disk)


def _firing(alerts: Sequence[Alert]) -> GaugeMetricFamily:
    family = GaugeMetricFamily("qa_queue_alerts_firing", "Alerts that fire now.", labels=["rule", "severity"])
    for (rule, severity), count in Counter((one.rule, one.severity.value) for one in alerts).items():
        family.add_metric([rule, severity], count)
    return family
