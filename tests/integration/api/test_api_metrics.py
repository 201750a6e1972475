"""The figures for Prometheus, read by Prometheus's own parser, of jobs that real workers have run."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from qa_queue.models import StepData, StepStatus
from qa_queue.monitoring import send_heartbeat
from qa_queue.progress import ProgressWriter
from qa_queue.redis.counters import COUNTS_KEY, JOB_BOUNDS_MS
from tests.support.poll import wait_until
from tests.support.queueing import report
from tests.support.workers import QUEUE, WorkerProcess, ended, enqueue

NAMES = {
    "qa_queue_job_duration_seconds": "histogram",
    "qa_queue_step_duration_seconds": "histogram",
    "qa_queue_job_retries": "counter",
    "qa_queue_browser_restarts": "counter",
    "qa_queue_egress_refused": "counter",
    "qa_queue_worker_process_deaths": "counter",
    "qa_queue_outbox_bytes": "gauge",
    "qa_queue_outbox_segments": "gauge",
    "qa_queue_disk_free_bytes": "gauge",
    "qa_queue_oldest_waiting_seconds": "gauge",
    "qa_queue_scheduler_up": "gauge",
    "qa_queue_alerts_firing": "gauge",
}


def figures(reader: httpx.Client) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(reader.get("/metrics").text)}


def value(family: Metric, sample: str, **labels: str) -> float:
    """The value of the sample with these labels; 0 if it does not exist."""
    found = (one.value for one in family.samples if one.name == sample and labels.items() <= one.labels.items())
    return next(found, 0.0)


def test_jobs_are_counted_by_outcome_with_their_durations_and_retries(
    reader: httpx.Client, redis_db: Redis, redis_url: str, tmp_path: Path
) -> None:
    """Each job once, in the buckets of a histogram; what a worker's parent reports comes with its heartbeat."""
    redis_db.set(
        "vitals",
        json.dumps(
            {"browser_restarts": 2, "egress_refused": {"own": 3}, "outbox_bytes": 4096, "outbox_segments": 1}
        ),
    )
    with WorkerProcess(tmp_path / "worker.log", REDIS_URL=redis_url, QA_HOME=str(tmp_path)):
        for job in (
            enqueue(redis_db, "echo"),
            enqueue(redis_db, "echo"),
            enqueue(redis_db, "refuses"),
            enqueue(redis_db, "cancelled"),
            enqueue(redis_db, "shaky", {"good": 2}, attempts=2),
            enqueue(redis_db, "shaky", {"good": 9}),
        ):
            ended(job)

        def reported() -> bool:
            found = figures(reader)
            return bool(value(found["qa_queue_outbox_bytes"], "qa_queue_outbox_bytes")) and bool(
                value(found["qa_queue_browser_restarts"], "qa_queue_browser_restarts_total")
            )

        wait_until(reported, what="a heartbeat with what the child has reported")
        send_heartbeat(redis_db, "me")
        found = figures(reader)
    assert {name: found[name].type for name in NAMES} == NAMES
    jobs = found["qa_queue_job_duration_seconds"]
    counts = {
        outcome: value(jobs, f"{jobs.name}_count", queue=QUEUE, outcome=outcome)
        for outcome in ("completed", "failed", "cancelled", "dead")
    }
    assert counts == {"completed": 3, "failed": 1, "cancelled": 1, "dead": 1}
    assert value(jobs, f"{jobs.name}_bucket", outcome="completed", le="+Inf") == 3
    assert value(jobs, f"{jobs.name}_sum", outcome="completed") > 0
    assert value(found["qa_queue_job_retries"], "qa_queue_job_retries_total", queue=QUEUE) == 1
    assert value(found["qa_queue_browser_restarts"], "qa_queue_browser_restarts_total") == 2
    assert value(found["qa_queue_egress_refused"], "qa_queue_egress_refused_total", rule="own") == 3
    assert value(found["qa_queue_outbox_bytes"], "qa_queue_outbox_bytes") == 4096
    assert value(found["qa_queue_disk_free_bytes"], "qa_queue_disk_free_bytes") > 0
    assert value(found["qa_queue_scheduler_up"], "qa_queue_scheduler_up") == 1


def test_steps_fall_into_the_bucket_of_their_duration(reader: httpx.Client, redis_db: Redis) -> None:
    """A bound belongs to the bucket below it; buckets add up as Prometheus has them."""
    writer = ProgressWriter(redis_db)
    for duration in (25, 26, 90_000):
        step = StepData(action="click", status=StepStatus.PASSED, duration=duration)
        writer.write("run-1", report("run-1", step_data=step))
    steps = figures(reader)["qa_queue_step_duration_seconds"]
    buckets = {one.labels["le"]: one.value for one in steps.samples if one.name.endswith("_bucket")}
    assert (buckets["0.01"], buckets["0.025"], buckets["0.05"], buckets["30"], buckets["+Inf"]) == (0, 1, 2, 2, 3)
    assert value(steps, f"{steps.name}_sum", action="click", status="passed") == pytest.approx(90.051)


def test_counts_outlive_the_service(serve, redis_db: Redis) -> None:
    """They stand in Redis, so that a new process of the pages goes on counting where the last one was."""
    redis_db.hset(
        COUNTS_KEY, mapping={f"job|{QUEUE}|completed|{len(JOB_BOUNDS_MS)}": 7, f"job|{QUEUE}|completed|ms": 5}
    )
    for _ in range(2):
        with httpx.Client(base_url=serve(qa_api_open_on_loopback=True), timeout=20) as client:
            family = figures(client)["qa_queue_job_duration_seconds"]
            assert value(family, f"{family.name}_count", queue=QUEUE, outcome="completed") == 7
