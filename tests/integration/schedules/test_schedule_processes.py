"""Scheduler processes on a real Redis and a real Supabase: killed, running in parallel, and during outages."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from redis import Redis

from qa_queue.local.process import LocalServer
from qa_queue.local.redis import start_redis
from qa_queue.local.supabase import start_supabase
from qa_queue.local.supervise import Supervisor
from qa_queue.models import utc_now
from qa_queue.producer.planning import case_record
from qa_queue.store.schedule_records import ScheduleRecord
from qa_queue.store.supabase import SupabaseStore
from tests.conftest import ROOT
from tests.support.dying_scheduler import POINTS
from tests.support.poll import wait_until
from tests.support.processes import command_of
from tests.support.queueing import run_request
from tests.support.schedulers import SchedulerProcess, jobs_of, runs_of
from tests.support.schedules import schedule_record


@pytest.fixture
def real_store(supabase: LocalServer) -> Iterator[SupabaseStore]:
    """The session's Supabase, without schedules of other tests."""
    store = SupabaseStore(supabase.url, supabase.key or "")
    for one in store.schedules.list_all():
        store.schedules.remove(one.id)
    yield store
    store.close()


@pytest.fixture
def settings(redis_url: str, supabase: LocalServer) -> dict[str, str]:
    return {"REDIS_URL": redis_url, "SUPABASE_URL": supabase.url, "SUPABASE_SECRET_KEY": supabase.key or ""}


@pytest.fixture
def schedulers(tmp_path: Path, settings: dict[str, str]) -> Iterator[Callable[..., list[SchedulerProcess]]]:
    """Starts a number of schedulers."""
    with ExitStack() as stack:

        def start(number: int = 1, **changes: str) -> list[SchedulerProcess]:
            logs = [tmp_path / f"scheduler-{uuid4()}.log" for _ in range(number)]
            return [stack.enter_context(SchedulerProcess(log, **(settings | changes))) for log in logs]

        yield start


def scheduled(store: SupabaseStore, **overrides: Any) -> ScheduleRecord:
    """A stored schedule of its own case, created just now."""
    case = store.save_cases([case_record(run_request(f"A case {uuid4()}"))])[0]
    now = utc_now().replace(microsecond=0)
    schedule = schedule_record(**{"created_at": now, "tag": None, "cases": (case.id,), "every": "1s", **overrides})
    assert store.schedules.add(schedule)
    return schedule


def ended(store: SupabaseStore, schedule: ScheduleRecord) -> bool:
    """Return whether it has ended."""
    row = store.schedules.get(schedule.id)
    return row is not None and row.next_run_at is None


def moments_of(connection: Redis, schedule: ScheduleRecord) -> list[bytes]:
    """The keys of started moments in Redis."""
    return [
        key for key in connection.scan_iter(f"qa:schedule:{schedule.id}:*") if connection.get(key) != b"pending"
    ]


@pytest.mark.parametrize("point", POINTS)
def test_a_scheduler_that_is_killed_during_a_start_loses_and_doubles_nothing(
    real_store: SupabaseStore, redis_db: Redis, settings: dict[str, str], schedulers: Any, point: str
) -> None:
    """By SIGKILL right after each of its steps; another one continues there."""
    schedule = scheduled(real_store, max_runs=1, created_at=utc_now() - timedelta(seconds=2))
    killed = subprocess.run(
        [sys.executable, "-m", "tests.support.dying_scheduler", point],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **settings},
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    schedulers()
    wait_until(lambda: ended(real_store, schedule), what="the end of the schedule")
    (run,) = runs_of(real_store, schedule)
    assert jobs_of(redis_db, [run]) == [run.id]
    row = real_store.schedules.get(schedule.id)
    assert row is not None
    assert (row.fired, row.pending, row.last_run_id) == (1, (), run.id)


def test_two_schedulers_at_once_start_each_moment_once(
    real_store: SupabaseStore, redis_db: Redis, schedulers: Any
) -> None:
    """Five schedules, every second for six seconds."""
    schedulers(2)
    schedules = [scheduled(real_store, overlap="allow", missed="all", max_runs=6) for _ in range(5)]
    wait_until(lambda: all(ended(real_store, one) for one in schedules), 60, "the end of all schedules")
    for schedule in schedules:
        runs = runs_of(real_store, schedule)
        assert len(runs) == 6
        assert len({run.batch_id for run in runs}) == 6
        assert len(moments_of(redis_db, schedule)) == 6
        assert jobs_of(redis_db, runs) == sorted(run.id for run in runs)


def test_schedulers_that_are_killed_again_and_again_lose_and_double_nothing(
    real_store: SupabaseStore, redis_db: Redis, schedulers: Any
) -> None:
    """Of two, one dies as a moment is started, six times; each moment is started once in the end."""
    pool = schedulers(2)
    chance = random.Random(4)
    schedules = [scheduled(real_store, overlap="allow", missed="all", max_runs=8) for _ in range(3)]

    def started() -> int:
        return sum(len(jobs_of(redis_db, runs_of(real_store, one))) for one in schedules)

    for _ in range(6):
        seen = started()
        wait_until(lambda seen=seen: started() > seen or ended(real_store, schedules[0]), 60)
        pool.pop(chance.randrange(2)).kill()
        pool += schedulers()
    wait_until(lambda: all(ended(real_store, one) for one in schedules), 60, "the end of all schedules")
    for schedule in schedules:
        runs = runs_of(real_store, schedule)
        assert len(runs) == 8
        assert len(moments_of(redis_db, schedule)) == 8
        assert jobs_of(redis_db, runs) == sorted(run.id for run in runs)


def test_a_restart_of_redis_costs_no_moment(real_store: SupabaseStore, schedulers: Any, tmp_path: Path) -> None:
    """The scheduler survives it; missed moments are made up for, as the policy says."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with start_redis(folder) as first:
        (scheduler,) = schedulers(1, REDIS_URL=first.url)
        schedule = scheduled(real_store, overlap="allow", missed="all", grace_s=1, max_runs=8)
        wait_until(lambda: len(runs_of(real_store, schedule)) >= 2, what="two starts")
        port = int(first.url.rsplit(":", 1)[1].split("/")[0])
    before = len(runs_of(real_store, schedule))
    wait_until(lambda: "could not serve the schedules" in scheduler.text, what="that the scheduler notices")
    with start_redis(folder, port) as again, Redis.from_url(again.url) as connection:
        wait_until(lambda: ended(real_store, schedule), 60, "the end of the schedule")
        assert scheduler.running
        scheduler.says("can serve the schedules again")
        runs = runs_of(real_store, schedule)
        assert len(runs) == 8 > before
        assert jobs_of(connection, runs) == sorted(run.id for run in runs)


def test_a_while_without_supabase_costs_no_moment(
    redis_url: str, redis_db: Redis, schedulers: Any, tmp_path: Path
) -> None:
    """The same: it continues once Supabase is back."""
    folder = tmp_path / "supabase"
    folder.mkdir()
    cache = ROOT / ".qa" / "cache"
    with ExitStack() as stack:
        server = stack.enter_context(start_supabase(folder, cache=cache))
        port = int(server.url.rsplit(":", 1)[1])
        store = SupabaseStore(server.url, server.key or "")
        stack.callback(store.close)
        (scheduler,) = schedulers(1, SUPABASE_URL=server.url, SUPABASE_SECRET_KEY=server.key or "")
        schedule = scheduled(store, overlap="allow", missed="all", max_runs=12)
        wait_until(lambda: len(jobs_of(redis_db, runs_of(store, schedule))) >= 2, what="two starts")
        server.stop()
        wait_until(lambda: "could not serve the schedules" in scheduler.text, what="that the scheduler notices")
        stack.enter_context(start_supabase(folder, port, cache=cache))
        wait_until(lambda: ended(store, schedule), 60, "the end of the schedule")
        runs = runs_of(store, schedule)
        assert len(runs) == 12
        assert jobs_of(redis_db, runs) == sorted(run.id for run in runs)
        assert scheduler.running


def test_a_killed_scheduler_is_started_again_and_goes_on(
    real_store: SupabaseStore, redis_db: Redis, settings: dict[str, str]
) -> None:
    """By the supervisor of `qa-queue up`, with everything that was due in between."""
    said: list[str] = []
    line = f"{sys.executable} -m qa_queue.worker.scheduler"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings}
    supervisor = Supervisor({"scheduler": line}, environment, lambda _, text: said.append(text))
    running = threading.Thread(target=supervisor.run)
    running.start()
    try:
        schedule = scheduled(real_store, overlap="allow", missed="all", max_runs=6)
        wait_until(lambda: len(jobs_of(redis_db, runs_of(real_store, schedule))) >= 2, 60, "two starts")
        own = psutil.Process().children(recursive=True)
        (victim,) = [one for one in own if one.is_running() and "qa_queue.worker.scheduler" in command_of(one)]
        victim.kill()
        wait_until(lambda: ended(real_store, schedule), 60, "the end of the schedule")
    finally:
        supervisor.ask_to_stop()
        running.join(30)
    assert any("ended with code -9; restarting" in text for text in said)
    runs = runs_of(real_store, schedule)
    assert jobs_of(redis_db, runs) == sorted(run.id for run in runs)
    assert len(runs) == 6
