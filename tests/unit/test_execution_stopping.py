"""Runs end early by request and by the clock."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from processors.execution import stopping
from processors.execution.stopping import PauseWatch, StopSignal
from qa_queue.errors import BrowserCrashedError, ProcessPausedError, RedisUnavailableError, RunReturnedError
from qa_queue.models import ErrorKind


async def forever() -> None:
    await asyncio.Event().wait()


async def test_work_that_ends_first() -> None:
    """Its result is returned, and nothing is stopped."""

    async def work() -> str:
        return "done"

    async with StopSignal(lambda: False) as stop:
        assert await stop.race(work()) == "done"
        assert stop.reason is None


async def test_work_that_fails() -> None:
    """Its error is raised."""

    async def work() -> None:
        raise BrowserCrashedError("gone")

    async with StopSignal(lambda: False) as stop:
        with pytest.raises(BrowserCrashedError):
            await stop.race(work())


async def test_the_clock_stops_work() -> None:
    """Work is cancelled when the time is up; the reason stays."""
    async with StopSignal(lambda: False) as stop:
        stop.arm(10)
        stop.arm(600_000)
        assert await stop.race(forever()) is None
        assert stop.reason is ErrorKind.TIMEOUT


async def test_a_request_stops_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later request is found by checking again."""
    monkeypatch.setattr("processors.execution.stopping.POLL_S", 0.01)
    answers = iter([False, False, True])
    async with StopSignal(lambda: next(answers)) as stop:
        assert await stop.race(forever()) is None
        assert stop.reason is ErrorKind.CANCELLED


async def test_an_earlier_request_is_found_at_once() -> None:
    """The first check is made before anything begins."""
    async with StopSignal(lambda: True) as stop:
        assert stop.reason is ErrorKind.CANCELLED


async def test_a_failing_check_stops_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Redis that is unavailable for a moment is logged, and the run continues."""
    monkeypatch.setattr(stopping, "POLL_S", 0.01)
    checks, logged = count(1), asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask() -> bool:
        if (number := next(checks)) == 1:
            return False
        if number == 3:  # the failure of the second one was logged before
            loop.call_soon_threadsafe(logged.set)
        raise RedisUnavailableError("no Redis")

    async with StopSignal(ask) as stop:
        await logged.wait()
        assert stop.reason is None
    assert "Cannot read whether the run was cancelled: no Redis" in caplog.text


async def test_nothing_begins_after_a_wait_for_the_first_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run may have been cancelled meanwhile, or taken over: it returns to its queue once Redis answers."""
    monkeypatch.setattr(stopping, "POLL_S", 0.01)
    checks = count(1)

    def ask() -> bool:
        if next(checks) < 3:
            raise RedisUnavailableError("no Redis")
        return False

    with pytest.raises(RunReturnedError):
        async with StopSignal(ask):
            pytest.fail("it begins")
    assert next(checks) == 4


async def test_nothing_begins_after_a_late_answer() -> None:
    """The process was frozen between the question and the answer, which may be out of date."""
    times = iter([0.0, 3.0])
    with pytest.raises(RunReturnedError):
        async with StopSignal(lambda: False, clock=lambda: next(times)):
            pytest.fail("it begins")


async def test_a_run_that_was_taken_over_does_not_begin() -> None:
    with pytest.raises(RunReturnedError, match="another worker has taken the run over"):
        async with StopSignal(lambda: False, taken_over=lambda: True):
            pytest.fail("it begins")


async def test_a_run_that_may_have_been_taken_over_does_not_begin() -> None:
    def ask() -> bool:
        raise RedisUnavailableError("no Redis")

    with pytest.raises(RunReturnedError):
        async with StopSignal(lambda: False, taken_over=ask):
            pytest.fail("it begins")


async def test_without_an_answer_the_run_returns_to_its_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "ANSWER_S", 0.0)

    def ask() -> bool:
        raise RedisUnavailableError("no Redis")

    with pytest.raises(RunReturnedError, match="Redis did not answer in time"):
        async with StopSignal(ask):
            pytest.fail("it begins")


async def test_work_is_cancelled_with_its_owner() -> None:
    """A worker that shuts down leaves no step running."""
    started, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await forever()
        finally:
            ended.set()

    async with StopSignal(lambda: False) as stop:
        race = asyncio.create_task(stop.race(work()))
        await started.wait()
        race.cancel()
        with pytest.raises(asyncio.CancelledError):
            await race
        await asyncio.wait_for(ended.wait(), timeout=5)


def paused(*ticks: float, asked: float) -> PauseWatch:
    """A watch that began at 0, ticked at these times and is asked at another one."""
    clock = iter([0.0, *(time for tick in ticks for time in (tick, tick)), asked, asked, asked, asked])
    watch = PauseWatch(lambda: next(clock))
    for _ in ticks:
        watch.tick()
    return watch


@pytest.mark.parametrize(
    ("ticks", "asked"), [((0.5, 1.0, 9.0), 9.1), ((0.5,), 8.0)], ids=["before the last tick", "since the last tick"]
)
def test_a_pause_of_the_process_is_an_error(ticks: tuple[float, ...], asked: float) -> None:
    """Timers that fired in the pause end the step before the next tick."""
    with pytest.raises(ProcessPausedError, match=r"did not run for 7\.[05] s"):
        paused(*ticks, asked=asked).raise_if_paused()


def test_short_pauses_are_none() -> None:
    """A busy machine delays every timer."""
    paused(0.6, 2.9, 3.4, asked=5.0).raise_if_paused()
