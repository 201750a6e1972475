"""Periodic tasks, in the loop of a worker and in the threads of the scheduler."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from itertools import count

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from qa_queue.errors import StoreUnavailableError
from qa_queue.worker.periodic import PeriodicTask, PeriodicTasks, run_in_threads
from tests.support.poll import wait_until


def task(do: Callable[[], object], every_s: float = 5) -> PeriodicTask:
    return PeriodicTask(name="do it", every_s=every_s, do=do)


def test_a_task_runs_when_it_is_due_and_not_before():
    """Its interval counts from the last run."""
    calls: list[int] = []
    tasks = PeriodicTasks([task(lambda: calls.append(1))])
    assert [tasks.run_due(t) for t in (0, 4, 5, 9.9, 30)] == [True] * 5
    assert len(calls) == 3


def test_a_task_without_redis_waits_for_its_next_turn_and_holds_up_no_other(caplog):
    """The failure is logged and reported, not raised."""
    calls: list[int] = []

    def fail() -> None:
        raise RedisConnectionError("gone")

    tasks = PeriodicTasks([task(fail), task(lambda: calls.append(1))])
    assert [tasks.run_due(t) for t in (0, 1, 5)] == [False, True, False]
    assert len(calls) == 2
    assert "Redis cannot be reached (gone); trying again in 5 s to do it" in caplog.text


@pytest.fixture
def start():
    """Run tasks in threads until the end of the test."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def start(*does: Callable[[], None]) -> None:
        tasks = [PeriodicTask(name=f"do no. {number}", every_s=0.01, do=do) for number, do in enumerate(does, 1)]
        threads.append(threading.Thread(target=run_in_threads, args=(tasks, stop)))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def failing(error: Exception, times: int = 10**9) -> tuple[Callable[[], None], list[int]]:
    """Return a function that fails at its first calls, and the list of its calls."""
    turns: list[int] = []
    numbers = count(1)

    def do() -> None:
        turns.append(next(numbers))
        if len(turns) <= times:
            raise error

    return do, turns


@pytest.mark.parametrize("error", [StoreUnavailableError("Supabase is down."), OSError("no route"), KeyError("x")])
def test_a_task_that_fails_stops_no_other_and_is_tried_again(start, error):
    """For every reason, expected or not."""
    bad, bad_turns = failing(error)
    good, good_turns = failing(error, times=0)
    start(bad, good)
    wait_until(lambda: len(bad_turns) > 3 and len(good_turns) > 3, timeout=10)


def test_a_task_that_hangs_holds_up_no_other(start):
    """Each has a thread of its own."""
    released = threading.Event()
    good, turns = failing(OSError(), times=0)
    start(released.wait, good)
    try:
        wait_until(lambda: len(turns) > 3, timeout=10)
    finally:
        released.set()


def test_a_lasting_failure_is_logged_once_and_so_is_the_recovery(start, caplog):
    """Not at every turn."""
    caplog.set_level(logging.INFO, "qa_queue")
    do, turns = failing(StoreUnavailableError("Supabase is down."), times=5)
    start(do)
    wait_until(lambda: len(turns) > 7, timeout=10)
    logged = [record.getMessage() for record in caplog.records]
    assert logged == [
        "The scheduler could not do no. 1: Supabase is down. Trying again.",
        "The scheduler can do no. 1 again",
    ]


def test_a_bug_in_a_task_is_logged_with_its_traceback_once(start, caplog):
    """A bug cannot be found without it."""
    caplog.set_level(logging.INFO, "qa_queue")
    do, turns = failing(KeyError("x"))
    start(do)
    wait_until(lambda: len(turns) > 5, timeout=10)
    (record,) = caplog.records
    assert "KeyError: 'x'" in record.getMessage()
    assert record.exc_info is not None
