"""The examples for Prometheus and Grafana ask for figures that the service has."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from redis import Redis
from ruamel.yaml import YAML

from qa_queue.models import StepData, StepStatus
from qa_queue.progress import ProgressWriter
from qa_queue.queues.events import record_event
from qa_queue.redis.counters import EndedRun
from tests.support.queueing import QUEUE, report

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
FILES = [DEPLOY / "prometheus" / "qa-queue-rules.yaml", DEPLOY / "grafana" / "qa-queue.json"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_figure_that_an_example_names_is_there(file: Path, reader: httpx.Client, redis_db: Redis) -> None:
    """By the names of samples, suffixes included."""
    record_event(redis_db, QUEUE, "job", "completed", {}, ended=EndedRun(outcome="completed", ran_ms=5))
    step = StepData(action="click", status=StepStatus.PASSED, duration=5)
    ProgressWriter(redis_db).write("run", report("run", step_data=step))
    text = reader.get("/metrics").text
    known = set(re.findall(r"^(?:# TYPE )?(qa_queue_\w+)", text, re.MULTILINE))
    document = YAML(typ="safe").load(file)  # JSON is YAML
    assert set(re.findall(r"qa_queue_\w+", str(document))) - known == set()
