"""The scheduler's duties: each goes on, whatever becomes of the others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from itertools import count

import pytest

from qa_queue.errors import StoreUnavailableError
from qa_queue.worker.periodic import PeriodicTask, serve
from tests.support.poll import wait_until


@pytest.fixture
def start():
    """Serves duties in a thread until the end of the test."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def start(*does: Callable[[], None]) -> None:
        duties = [PeriodicTask(name=f"do no. {number}", every_s=0.01, do=do) for number, do in enumerate(does, 1)]
        threads.append(threading.Thread(target=serve, args=(duties, stop)))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def failing(error: Exception, times: int = 10**9) -> tuple[Callable[[], None], list[int]]:
    """Something that fails so many times, and the turns that it had."""
    turns: list[int] = []
    numbers = count(1)

    def do() -> None:
        turns.append(next(numbers))
        if len(turns) <= times:
            raise error

    return do, turns


@pytest.mark.parametrize("error", [StoreUnavailableError("Supabase is away."), OSError("no route"), KeyError("x")])
def test_a_duty_that_fails_stops_no_other_and_is_tried_again(start, error):
    """Whatever it fails of."""
    bad, bad_turns = failing(error)
    good, good_turns = failing(error, times=0)
    start(bad, good)
    wait_until(lambda: len(bad_turns) > 3 and len(good_turns) > 3, timeout=10)


def test_a_duty_that_hangs_holds_up_no_other(start):
    """Each has a thread of its own."""
    released = threading.Event()
    good, turns = failing(OSError(), times=0)
    start(released.wait, good)
    try:
        wait_until(lambda: len(turns) > 3, timeout=10)
    finally:
        released.set()


def test_a_lasting_failure_is_told_once_and_so_is_its_end(start, caplog):
    """Not at every turn."""
    caplog.set_level(logging.INFO, "qa_queue")
    do, turns = failing(StoreUnavailableError("Supabase is away."), times=5)
    start(do)
    wait_until(lambda: len(turns) > 7, timeout=10)
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "The scheduler could not do no. 1: Supabase is away. Trying again.",
        "The scheduler can do no. 1 again",
    ]


def test_a_fault_of_a_duty_s_own_is_told_with_its_traceback_once(start, caplog):
    """For whoever is to mend it."""
    caplog.set_level(logging.INFO, "qa_queue")
    do, turns = failing(KeyError("x"))
    start(do)
    wait_until(lambda: len(turns) > 5, timeout=10)
    (record,) = caplog.records
    assert "KeyError: 'x'" in record.getMessage()
    assert record.exc_info is not None
