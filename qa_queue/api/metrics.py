"""The service's figures in Prometheus's words; each is read where it is kept, at the moment it is asked for.

Nothing here counts since the start of this process: runs are made by other processes and outlive all of them. What
is counted (see `counts`) is counted by the workers, in Redis.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from qa_queue.api.counts import Counts
from qa_queue.errors import QAError
from qa_queue.monitoring import oldest_waiting
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
