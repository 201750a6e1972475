"""Redis that refuses: a replica in the master's place, a full memory, and a failover behind Sentinels."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from redis import Redis

from qa_queue.errors import RedisUnavailableError
from tests.faults.scene import Run, Scene
from tests.support.poll import wait_until
from tests.support.sentinels import PASSWORD, SentinelSet
from tests.support.site import serve_site

_NEVER = threading.Event()
_REFUSES_S = 8  # longer than a worker's patience with one command


class FailoverScene(Scene):
    """A scene behind a Sentinel; `server` is whoever is the master."""

    def __init__(self, stack: ExitStack, home: Path, *parts: object) -> None:
        super().__init__(stack, home, *parts)  # type: ignore[arg-type] # as the base class
        self.sentinels = stack.enter_context(SentinelSet(home / "sentinels"))
        self.server.stop()
        self.server = _Master(self.sentinels)  # type: ignore[assignment] # its URL is all that is asked for
        del self.environment["REDIS_URL"]
        self.environment |= self.sentinels.variables

    def attempts(self, run: Run) -> int:
        run.job.connection = self.redis
        return super().attempts(run)


class _Master:
    def __init__(self, sentinels: SentinelSet) -> None:
        self._sentinels = sentinels

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self._sentinels.master}/0"


@pytest.fixture
def failover(tmp_path: Path, supabase, browser_path) -> Iterator[FailoverScene]:
    with ExitStack() as stack:
        site = stack.enter_context(serve_site())
        yield FailoverScene(stack, tmp_path, site, supabase, browser_path)


@contextmanager
def readonly(redis: Redis) -> Iterator[None]:
    """The server is a replica of nobody."""
    redis.replicaof("127.0.0.1", 1)
    try:
        yield
    finally:
        redis.replicaof("NO", "ONE")


@contextmanager
def out_of_memory(redis: Redis) -> Iterator[None]:
    """The server takes nothing that needs memory."""
    redis.config_set("maxmemory-policy", "noeviction")
    redis.config_set("maxmemory", "1")
    try:
        yield
    finally:
        redis.config_set("maxmemory", "0")


def set_aside(scene: Scene) -> list[Run]:
    """Wait until every run has ended; what is measured are those that come."""
    scene.all_end(time.monotonic())
    ended, scene.runs = scene.runs, []
    return ended


@pytest.mark.parametrize("fault", [readonly, out_of_memory], ids=["READONLY", "out of memory"])
@pytest.mark.parametrize("state", ["idle", "mid-run"])
def test_redis_refuses_to_write(scene: Scene, survived, fault: Callable, state: str) -> None:
    """What is submitted meanwhile is refused, with the reason, and leaves no row; all else goes on afterwards."""
    worker = scene.worker()
    held = scene.moment("/middle", hold=state == "mid-run")
    scene.submit(1)
    wait_until(held.reached.is_set, timeout=90, what="the moment")
    before = set_aside(scene) if state == "idle" else []
    scene.submit(1, delay_ms=2000)
    rows = sum(scene.store.count_runs().values())
    with fault(scene.redis):
        held.go.set()
        with pytest.raises(RedisUnavailableError, match=r"read-only replica|out of memory"):
            scene.submit(1)
        _NEVER.wait(_REFUSES_S)
        assert worker.popen.poll() is None
    since = time.monotonic()
    assert sum(scene.store.count_runs().values()) == rows
    scene.submit(1)
    recovery = scene.all_end(since)
    scene.runs = before + scene.runs
    scene.check()
    attempts = [scene.attempts(run) for run in scene.runs]
    assert attempts == [1, 1, 1]
    scene.leaves_nothing()
    name = "READONLY" if fault is readonly else "out of memory"
    survived(f"Redis {name} for {_REFUSES_S} s, {state}", recovery, f"completed; attempts {attempts}")


@pytest.mark.parametrize("fault", ["kill_master", "freeze_master"])
@pytest.mark.parametrize("state", ["idle", "mid-run"])
def test_the_master_is_replaced(failover: FailoverScene, survived, fault: str, state: str) -> None:
    """Runs under way end once, and delayed ones start: those due meanwhile and those due later."""
    scene = failover
    worker = scene.worker()
    held = scene.moment("/middle", hold=state == "mid-run")
    scene.submit(1)
    wait_until(held.reached.is_set, timeout=90, what="the moment")
    before = set_aside(scene) if state == "idle" else []
    for delay in (1000, 4000, 12_000):
        scene.submit(1, delay_ms=delay)
    old = getattr(scene.sentinels, fault)()
    held.go.set()
    scene.sentinels.wait_for_failover(old)
    since = time.monotonic()
    recovery = scene.all_end(since)
    scene.runs = before + scene.runs
    scene.check()
    attempts = [scene.attempts(run) for run in scene.runs]
    assert attempts == [1, 1, 1, 1]
    assert worker.popen.poll() is None
    scene.leaves_nothing()
    what = "killed" if fault == "kill_master" else "frozen"
    survived(f"Sentinel failover, master {what}, {state}", recovery, f"completed, delayed too; attempts {attempts}")
