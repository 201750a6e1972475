"""Lines that are slow, cut, or dead without a word, to Redis and to Supabase; clocks that differ."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.faults.scene import STEPS, Scene
from tests.support.poll import wait_until
from tests.support.wire import Wire

SKEWED = Path(__file__).resolve().parents[1] / "support" / "skewed"
OFFSET_S = 300
_NEVER = threading.Event()
_SERVERS = {"Redis": "REDIS_URL", "Supabase": "SUPABASE_URL"}


def through(url: str, wire: Wire) -> str:
    """The URL by way of the wire."""
    return url.replace(f":{urlsplit(url).port}", f":{wire.port}")


@pytest.mark.parametrize(("fault", "seconds"), [("slow", 10), ("reset", 10), ("half-open", 0), ("silent", 15)])
@pytest.mark.parametrize("server", _SERVERS)
def test_a_bad_line(scene: Scene, survived, server: str, fault: str, seconds: int) -> None:
    """In mid-run; every run completes once the line is good again, or new connections are."""
    variable = _SERVERS[server]
    url = scene.environment[variable]
    with Wire(urlsplit(url).port) as wire:
        worker = scene.worker(**{variable: through(url, wire)})
        held = scene.moment("/middle", hold=True)
        scene.submit(3)
        wait_until(held.reached.is_set, timeout=60, what="the moment")
        wire.become(fault)
        held.go.set()
        _NEVER.wait(seconds)
        if fault != "half-open":
            wire.become("good")
        since = time.monotonic()
        recovery = scene.all_end(since)
        scene.check()
        attempts = sorted(scene.attempts(run) for run in scene.runs)
        assert worker.popen.poll() is None
        scene.leaves_nothing()
    lasting = f" for {seconds} s" if seconds else ", new connections are good"
    survived(f"the line to {server} {fault}{lasting}", recovery, f"completed; attempts {attempts}")


@pytest.mark.parametrize("offset", [OFFSET_S, -OFFSET_S])
def test_a_clock_that_is_off(scene: Scene, survived, offset: int) -> None:
    """A worker whose clock is 5 minutes off, beside one whose clock is right: neither takes the other for dead."""
    held = scene.moment("/middle", hold=True)
    scene.submit(2, steps=tuple(step.model_copy(update={"timeout_ms": 40_000}) for step in STEPS))
    skewed = scene.worker(PYTHONPATH=str(SKEWED), TEST_CLOCK_OFFSET=str(offset))
    wait_until(held.reached.is_set, timeout=60, what="the moment")
    right = scene.worker()
    right.says("serves")
    _NEVER.wait(20)  # longer than a worker may be silent
    since = time.monotonic()
    held.go.set()
    scene.submit(2)
    recovery = scene.all_end(since)
    scene.check()
    assert [scene.attempts(run) for run in scene.runs] == [1, 1, 1, 1]
    scene.runs[0].job.refresh()
    assert abs(scene.runs[0].job.started_at.timestamp() - time.time()) > OFFSET_S / 2  # it was off indeed
    assert "is gone" not in right.text + skewed.text
    scene.leaves_nothing()
    survived(f"a worker's clock {offset:+d} s off", recovery, "completed; attempts [1, 1, 1, 1]")
