"""Redis refuses to write, as a replica or out of memory; failovers behind Sentinels."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from redis import Redis

from qa_queue.errors import RedisUnavailableError
from tests.faults.service import FaultService, SubmittedRun
from tests.support.sentinels import PASSWORD, SentinelSet
from tests.support.site import serve_site

_NEVER = threading.Event()
_REFUSES_S = 8  # longer than the timeout of one command


class FailoverService(FaultService):
    """A service with Redis behind Sentinels."""

    def __init__(self, stack: ExitStack, folder: Path, *parts: object) -> None:
        super().__init__(stack, folder, *parts)  # type: ignore[arg-type] # as the base class
        self.sentinels = stack.enter_context(SentinelSet(folder / "sentinels"))
        self.redis.stop()
        del self.settings["REDIS_URL"]
        self.settings |= self.sentinels.variables

    @property
    def connection(self) -> Redis:
        """A new connection to the present master."""
        return Redis(port=self.sentinels.master, password=PASSWORD)

    def attempts(self, run: SubmittedRun) -> int:
        run.job.connection = self.connection
        return super().attempts(run)


@pytest.fixture
def failover(tmp_path: Path, supabase, browser_path) -> Iterator[FailoverService]:
    with ExitStack() as stack:
        site = stack.enter_context(serve_site())
        yield FailoverService(stack, tmp_path, site, supabase, browser_path)


@contextmanager
def readonly(redis: Redis) -> Iterator[None]:
    """The server is a replica of a master that does not exist."""
    redis.replicaof("127.0.0.1", 1)
    try:
        yield
    finally:
        redis.replicaof("NO", "ONE")


@contextmanager
def out_of_memory(redis: Redis) -> Iterator[None]:
    """The server refuses commands that need memory."""
    redis.config_set("maxmemory-policy", "noeviction")
    redis.config_set("maxmemory", "1")
    try:
        yield
    finally:
        redis.config_set("maxmemory", "0")


def set_aside(service: FaultService) -> list[SubmittedRun]:
    """Wait until every run has ended, and take these runs out of the measurement."""
    service.wait_for_runs(time.monotonic())
    ended, service.runs = service.runs, []
    return ended


@pytest.mark.parametrize("fault", [readonly, out_of_memory], ids=["READONLY", "out of memory"])
@pytest.mark.parametrize("state", ["idle", "mid-run"])
def test_redis_refuses_to_write(service: FaultService, survived, fault: Callable, state: str) -> None:
    """A run submitted meanwhile is refused with the reason and leaves no row; the others complete afterwards."""
    worker = service.worker()
    held = service.checkpoint("/middle", hold=state == "mid-run")
    service.submit(1)
    held.wait(90)
    before = set_aside(service) if state == "idle" else []
    service.submit(1, delay_ms=2000)
    rows = sum(service.store.count_runs().values())
    with fault(service.connection):
        held.go.set()
        with pytest.raises(RedisUnavailableError, match=r"read-only replica|out of memory"):
            service.submit(1)
        _NEVER.wait(_REFUSES_S)
        assert worker.running
    since = time.monotonic()
    assert sum(service.store.count_runs().values()) == rows
    service.submit(1)
    recovery = service.wait_for_runs(since)
    service.runs = before + service.runs
    service.check_runs()
    attempts = [service.attempts(run) for run in service.runs]
    assert attempts == [1, 1, 1]
    service.stop_workers()
    name = "READONLY" if fault is readonly else "out of memory"
    survived(f"Redis {name} for {_REFUSES_S} s, {state}", recovery, f"completed; attempts {attempts}")


@pytest.mark.parametrize("fault", ["kill_master", "freeze_master"])
@pytest.mark.parametrize("state", ["idle", "mid-run"])
def test_the_master_is_replaced(failover: FailoverService, survived, fault: str, state: str) -> None:
    """Running runs end once; delayed runs start, whether due meanwhile or later."""
    service = failover
    worker = service.worker()
    held = service.checkpoint("/middle", hold=state == "mid-run")
    service.submit(1)
    held.wait(90)
    before = set_aside(service) if state == "idle" else []
    for delay in (1000, 4000, 12_000):
        service.submit(1, delay_ms=delay)
    old = getattr(service.sentinels, fault)()
    held.go.set()
    service.sentinels.wait_for_failover(old)
    since = time.monotonic()
    recovery = service.wait_for_runs(since)
    service.runs = before + service.runs
    service.check_runs()
    attempts = [service.attempts(run) for run in service.runs]
    assert attempts == [1, 1, 1, 1]
    assert worker.running
    service.stop_workers()
    what = "killed" if fault == "kill_master" else "frozen"
    survived(f"Sentinel failover, master {what}, {state}", recovery, f"completed, delayed too; attempts {attempts}")
