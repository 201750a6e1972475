"""Real losses of Redis' data: of 1,000 acknowledged runs none is lost, and none that had ended runs again."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from qa_queue.local.process import LocalServer
from qa_queue.local.redis import start_redis
from qa_queue.models import Priority, RunStatus, utc_now
from qa_queue.producer import JobProducer
from qa_queue.settings import Settings
from qa_queue.store.memory import MemoryStore
from qa_queue.worker.reconciler import PATIENCE_S, Reconciler
from tests.support.poll import wait_until
from tests.support.processes import wait_until_gone
from tests.support.queueing import run_request, take_all, waiting
from tests.support.workers import QUEUE

SETTINGS = Settings(_env_file=None)
RUNS, ENDED = 1000, 50
PRIORITIES = tuple(Priority)


class LedgerService:
    """A Redis of its own, whose files can be changed, and 1,000 runs of which 50 have ended."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.folder = folder / "redis"
        self.store = MemoryStore()
        self.now = 0.0
        self._stack = stack
        self.server = self._start(self.folder)
        self.ids: list[str] = []
        self.ended: list[str] = []

    @property
    def redis(self) -> Redis:
        return self._stack.enter_context(Redis.from_url(self.server.url))

    def submit(self, count: int) -> None:
        """Submit runs of every priority, and let the first 50 of all end."""
        requests = [run_request(priority=PRIORITIES[number % len(PRIORITIES)]) for number in range(count)]
        self.ids += [run.run_id for run in JobProducer(self.redis, self.store, SETTINGS).submit(requests)]

    def end_some(self) -> None:
        """Let the first 50 runs of the queue end."""
        redis = self.redis
        self.ended = waiting(redis)[:ENDED]
        for run_id in self.ended:
            self.store.update_run(run_id, status=RunStatus.COMPLETED, finished_at=utc_now())
            redis.delete(f"rq:job:{run_id}")
            redis.lrem(f"rq:queue:{QUEUE}", 1, run_id)
            redis.zrem(f"qa:ranks:{QUEUE}", run_id)

    def restart(self, change: Callable[[Path], None]) -> None:
        """Kill Redis, change its append-only file, and start it again."""
        os.kill(self.server.pid, signal.SIGKILL)
        wait_until_gone([self.server.pid])
        change(self.log_file)
        self.server = self._start(self.folder)

    def replace(self, folder: Path) -> None:
        """Let a server with the data of another folder take its place."""
        self.server = self._start(folder)

    @property
    def log_file(self) -> Path:
        """The append-only file: its newest part since Redis 7, the only one before."""
        parts = sorted(self.folder.rglob("*.incr.aof"))
        return parts[-1] if parts else self.folder / "appendonly.aof"

    def reconcile(self) -> None:
        """Let a scheduler compare rows with jobs, twice, once no submission seems to be under way.

        That of a submission stays for 7 s where Redis has lost what followed it.
        """
        wait_until(lambda: not self.redis.keys("qa:submitting:*"), what="the end of every submission")
        reconciler = Reconciler(self.redis, self.store, SETTINGS, name="one", clock=lambda: self.now)
        reconciler.run()
        self.now += max(PATIENCE_S.values())
        reconciler.run()

    def _start(self, folder: Path) -> LocalServer:
        return self._stack.enter_context(start_redis(folder))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[LedgerService]:
    with ExitStack() as stack:
        yield LedgerService(stack, tmp_path)


def _cut(size: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, max(0, path.stat().st_size - size))


def everything(scene: LedgerService) -> None:
    scene.submit(RUNS)
    scene.end_some()
    scene.redis.flushall()


def last_second(scene: LedgerService) -> None:
    """The file ends where it ended before the last tenth was submitted."""
    scene.submit(RUNS * 9 // 10)
    scene.end_some()
    scene.redis.config_set("appendfsync", "always")
    scene.redis.ping()
    size = scene.log_file.stat().st_size
    scene.submit(RUNS // 10)
    scene.restart(lambda path: os.truncate(path, size))


def last_megabyte(scene: LedgerService) -> None:
    scene.redis.config_set("appendfsync", "always")
    for _ in range(10):
        scene.submit(RUNS // 10)
    scene.end_some()
    scene.restart(_cut(1 << 20))


def empty_replica(scene: LedgerService) -> None:
    scene.submit(RUNS)
    scene.end_some()
    scene.replace(scene.folder.parent / "replica")


def old_dump(scene: LedgerService) -> None:
    """From before the second half was submitted and the first runs ended."""
    scene.redis.config_set("appendfsync", "always")
    scene.submit(RUNS // 2)
    copy = scene.folder.parent / "copy"
    shutil.copytree(scene.folder, copy)
    scene.end_some()
    scene.submit(RUNS // 2)
    scene.replace(copy)


def eviction(scene: LedgerService) -> None:
    """A Redis that may evict keys, and has half the memory that it needs."""
    scene.submit(RUNS)
    scene.end_some()
    redis = scene.redis
    redis.config_set("maxmemory-policy", "allkeys-random")
    redis.config_set("maxmemory", redis.info("memory")["used_memory"] // 2)
    redis.set("more", "x" * 1000)
    redis.config_set("maxmemory", 0)


LOSSES = {
    "everything (FLUSHALL)": everything,
    "the last second of the append-only file": last_second,
    "the last MB of the append-only file": last_megabyte,
    "everything (an empty replica is promoted)": empty_replica,
    "what came after an old dump": old_dump,
    "keys that it evicted (maxmemory, allkeys-random)": eviction,
}


@pytest.mark.parametrize("what", LOSSES)
def test_redis_loses(scene: LedgerService, survived, what: str) -> None:
    """Each run that had not ended waits once, in its order."""
    LOSSES[what](scene)
    unfinished = {run_id for run_id in scene.ids if run_id not in scene.ended}
    redis = scene.redis
    jobs = {run_id for run_id in unfinished if redis.exists(f"rq:job:{run_id}")}
    listed = set(waiting(redis)) & jobs
    lost = len(unfinished) - len(listed)
    assert lost > 0
    scene.reconcile()
    taken = take_all(redis)
    begun = [run_id for run_id in taken if scene.store.get_run(run_id).status is RunStatus.QUEUED]
    assert len(begun) == len(set(begun)) == RUNS - ENDED
    assert set(begun) == unfinished
    by_priority = [
        [run_id for run_id in scene.ids if scene.store.get_run(run_id).priority == one] for one in PRIORITIES
    ]
    for ids in by_priority:
        assert [run_id for run_id in begun if run_id in set(ids)] == [i for i in ids if i in unfinished]
    again = len(set(taken) & set(scene.ended))
    survived(
        f"Redis loses {what}",
        None,
        f"{lost} of {RUNS - ENDED} jobs lost, all restored in order; {again} ended ones "
        "are taken and not run, as their rows have ended",
    )
