"""Connections to Redis and Supabase that are slow, reset, or silently dead; clocks that differ."""

from __future__ import annotations

import threading
import time
from urllib.parse import urlsplit

import pytest

from tests.faults.service import STEPS, FaultService
from tests.support.clocks import clock_off
from tests.support.proxies import TcpProxy

OFFSET_S = 300
_NEVER = threading.Event()
_SERVERS = {"Redis": "REDIS_URL", "Supabase": "SUPABASE_URL"}


def through(url: str, proxy: TcpProxy) -> str:
    """Return the URL with the port of the proxy."""
    return url.replace(f":{urlsplit(url).port}", f":{proxy.port}")


@pytest.mark.parametrize(("fault", "seconds"), [("slow", 10), ("reset", 10), ("half-open", 0), ("silent", 15)])
@pytest.mark.parametrize("server", _SERVERS)
def test_a_bad_connection(service: FaultService, survived, server: str, fault: str, seconds: int) -> None:
    """In mid-run; every run completes once the connection, or a new one, is good."""
    variable = _SERVERS[server]
    url = service.settings[variable]
    with TcpProxy(urlsplit(url).port) as proxy:
        worker = service.worker(**{variable: through(url, proxy)})
        held = service.checkpoint("/middle", hold=True)
        service.submit(3)
        held.wait()
        proxy.set_mode(fault)
        held.go.set()
        _NEVER.wait(seconds)
        if fault != "half-open":
            proxy.set_mode("good")
        since = time.monotonic()
        recovery = service.wait_for_runs(since)
        service.check_runs()
        attempts = sorted(service.attempts(run) for run in service.runs)
        assert worker.running
        service.stop_workers()
    lasting = f" for {seconds} s" if seconds else ", new connections are good"
    survived(f"the connection to {server} {fault}{lasting}", recovery, f"completed; attempts {attempts}")


@pytest.mark.parametrize("offset", [OFFSET_S, -OFFSET_S])
def test_a_clock_that_is_off(service: FaultService, survived, offset: int) -> None:
    """One worker's clock is 5 minutes off and another's is right: neither takes over the other's jobs."""
    held = service.checkpoint("/middle", hold=True)
    service.submit(2, steps=tuple(step.model_copy(update={"timeout_ms": 40_000}) for step in STEPS))
    skewed = service.worker(**clock_off(offset))
    held.wait()
    right = service.worker()
    right.says("serves")
    _NEVER.wait(20)  # longer than the silence after which a job is taken over
    since = time.monotonic()
    held.go.set()
    service.submit(2)
    recovery = service.wait_for_runs(since)
    service.check_runs()
    assert [service.attempts(run) for run in service.runs] == [1, 1, 1, 1]
    service.runs[0].job.refresh()
    assert abs(service.runs[0].job.started_at.timestamp() - time.time()) > OFFSET_S / 2  # the offset took effect
    assert "is gone" not in right.text + skewed.text
    service.stop_workers()
    survived(f"a worker's clock {offset:+d} s off", recovery, "completed; attempts [1, 1, 1, 1]")
