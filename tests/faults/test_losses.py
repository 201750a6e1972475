"""Redis loses its data while runs wait and run."""

from __future__ import annotations

import time

from qa_queue.models import RunStatus
from tests.faults.service import FaultService, Recovery
from tests.support.poll import wait_until
from tests.support.workers import QUEUE


def test_redis_loses_everything_in_mid_run(service: FaultService, survived) -> None:
    """FLUSHALL with two runs under way, others waiting and delayed: each completes once."""
    held = service.checkpoint("/middle", hold=True)
    service.submit(6)
    service.submit(1, delay_ms=5000)
    service.scheduler().says("serves")
    worker = service.worker()
    held.wait()
    since = time.monotonic()
    service.connection.flushall()
    held.go.set()
    rows = [run.id for run in service.runs]
    wait_until(lambda: all(service.store.get_run(run_id).status.final for run_id in rows), what="every end")
    recovery = Recovery((ended := time.monotonic() - since), ended)
    assert {service.store.get_run(run_id).status for run_id in rows} == {RunStatus.COMPLETED}
    assert service.connection.llen(f"rq:queue:{QUEUE}") == 0
    assert worker.running
    service.stop_workers()
    survived("Redis loses everything (FLUSHALL) in mid-run", recovery, "7 acknowledged runs complete, each once")
