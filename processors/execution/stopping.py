"""The end of a run before its last step: a request to cancel it, the end of its time, or a pause of its process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from qa_queue.errors import InfrastructureError, ProcessPausedError, RunReturnedError
from qa_queue.models import ErrorKind

POLL_S = 0.5
ANSWER_S = 30.0  # for Redis to answer, before a run that was to begin returns to its queue
CANCEL_TIMEOUT_S = 1.0  # for work that was cancelled to end
LONGEST_PAUSE_S = 3.0  # of a process, which a step must not be blamed for
_TICK_S = 0.5
STOPPED = {
    ErrorKind.CANCELLED: "the run was cancelled during this step",
    ErrorKind.TIMEOUT: "the run's time was up during this step",
}
T = TypeVar("T")
_log = logging.getLogger(__name__)


class StopSignal:
    """Ends a run early: because it is cancelled, which is checked twice a second, or because its time is up.

    It is active within an `async with`, which begins once it is known whether the run is `cancelled`, and was not
    `taken_over` by another worker; `arm` sets the time limit. The first reason counts.

    Raises:
        RunReturnedError: at the beginning, Redis did not answer within 3 s, or the run was taken over.
    """

    def __init__(
        self,
        cancelled: Callable[[], bool],
        *,
        taken_over: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._cancelled = cancelled
        self._taken_over = taken_over
        self._clock = clock
        self._reason: asyncio.Future[ErrorKind] = loop.create_future()
        self._end = self._reason  # later than the reason while the run tidies up
        self._poller: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def reason(self) -> ErrorKind | None:
        """`CANCELLED`, `TIMEOUT`, or None while the run may continue."""
        return self._reason.result() if self._reason.done() else None

    @property
    def over(self) -> bool:
        """True if no further step may begin."""
        return self._end.done()

    def arm(self, timeout_ms: int) -> None:
        """Start the clock, unless it runs already."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(timeout_ms / 1000, self._stop, ErrorKind.TIMEOUT)

    def tidy_up(self, seconds: float) -> None:
        """Let steps go on for so long after the reason to stop."""
        loop = asyncio.get_running_loop()
        end = self._end = loop.create_future()

        def finish(reason: asyncio.Future[ErrorKind]) -> None:
            if not end.done():
                end.set_result(reason.result())

        self._reason.add_done_callback(lambda reason: loop.call_later(seconds, finish, reason))

    async def race(self, work: Coroutine[Any, Any, T], *, cancel_s: float = CANCEL_TIMEOUT_S) -> T | None:
        """Return the result of `work`; None if the run had to stop first and `work` was cancelled.

        Cancelled work has `cancel_s` seconds to end.
        """
        task = asyncio.create_task(work)
        either: set[asyncio.Future[Any]] = {task, self._end}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
        finally:
            task.cancel()
        await asyncio.wait({task}, timeout=cancel_s)
        if task.done() and not task.cancelled() and task.exception():
            _log.debug("A step that had to stop ended with: %s", task.exception())
        return None

    async def __aenter__(self) -> Self:
        await self._first_check()
        self._poller = asyncio.create_task(self._poll())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer:
            self._timer.cancel()
        if self._poller:
            self._poller.cancel()
            await asyncio.wait({self._poller})

    async def _first_check(self) -> None:
        """Check before the run begins.

        While it waits for an answer, or its process is frozen, another worker may take the run over: an answer
        counts only if little time has passed since the question.
        """
        asked = self._clock()
        if await self._check() and await self._is_ours() and self._clock() - asked < LONGEST_PAUSE_S:
            return
        while not await self._check():
            if self._clock() - asked >= ANSWER_S:
                break
            await asyncio.sleep(POLL_S)
        raise RunReturnedError("Redis did not answer in time, or another worker has taken the run over")

    async def _poll(self) -> None:
        while self.reason is None:
            await asyncio.sleep(POLL_S)
            await self._check()

    async def _check(self) -> bool:
        """Stop the run if it was cancelled; return False if that could not be read."""
        try:
            if await asyncio.to_thread(self._cancelled):
                self._stop(ErrorKind.CANCELLED)
        except InfrastructureError as error:  # checked again soon; the run does not fail for it
            _log.warning("Cannot read whether the run was cancelled: %s", error)
            return False
        return True

    async def _is_ours(self) -> bool:
        """Return False if the run was taken over, or if that could not be read."""
        try:
            return not await asyncio.to_thread(self._taken_over)
        except InfrastructureError as error:
            _log.warning("Cannot read whether the run was taken over: %s", error)
            return False

    def _stop(self, reason: ErrorKind) -> None:
        if not self._reason.done():
            self._reason.set_result(reason)


class PauseWatch:
    """Measures how long this process does not run, within an `async with`: frozen, or with a blocked event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._longest = 0.0
        self._ticker: asyncio.Task[None] | None = None

    @property
    def longest(self) -> float:
        """The longest pause so far, in s; timers of the pause may have fired before this is asked."""
        return max(self._longest, self._clock() - self._last - _TICK_S)

    def tick(self) -> None:
        """Note that the process runs."""
        self._longest, self._last = self.longest, self._clock()

    def raise_if_paused(self) -> None:
        """Raise an error if a step that failed may have failed because of a pause.

        Raises:
            ProcessPausedError: the process was paused for 3 s or longer.
        """
        if self.longest >= LONGEST_PAUSE_S:
            raise ProcessPausedError(
                f"the run's process did not run for {self.longest:.1f} s: it was frozen, or its machine was paused "
                "or overloaded"
            )

    async def __aenter__(self) -> Self:
        self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._ticker:
            self._ticker.cancel()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self.tick()
