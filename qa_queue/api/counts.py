"""Counters of workers as Prometheus's counters and histograms; kept in Redis, where no restart resets them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError

from qa_queue.errors import QAError
from qa_queue.extensions import queue_names
from qa_queue.monitoring import WorkerState, read_scheduler, read_workers
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
