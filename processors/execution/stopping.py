"""Ending a run before its last step: because somebody cancelled it, or because its time is up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from qa_queue.errors import InfrastructureError
from qa_queue.models import ErrorKind

POLL_S = 0.5
LEAVE_S = 1.0  # for work that was told to end
T = TypeVar("T")
_log = logging.getLogger(__name__)


class StopSignal:
    """Asks twice a second whether a run is cancelled, within an `async with`; `arm` adds a time limit.

    The first reason counts, and it stays.
    """

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled
        self._reason: asyncio.Future[ErrorKind] = asyncio.get_running_loop().create_future()
        self._poller: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def reason(self) -> ErrorKind | None:
        """`CANCELLED`, `TIMEOUT`, or None while the run may go on."""
        return self._reason.result() if self._reason.done() else None

    def arm(self, timeout_ms: int) -> None:
        """Start the clock, unless it already runs."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(timeout_ms / 1000, self._stop, ErrorKind.TIMEOUT)

    async def race(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The result of `work`; None where the run had to stop first, and `work` was cancelled."""
        task = asyncio.create_task(work)
        either: set[asyncio.Future[Any]] = {task, self._reason}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
        finally:
            task.cancel()
        await asyncio.wait({task}, timeout=LEAVE_S)
        if task.done() and not task.cancelled() and task.exception():
            _log.debug("A step that had to stop ended with: %s", task.exception())
        return None

    async def __aenter__(self) -> Self:
        await self._ask()
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

    async def _poll(self) -> None:
        while self.reason is None:
            await asyncio.sleep(POLL_S)
            await self._ask()

    async def _ask(self) -> None:
        try:
            if await asyncio.to_thread(self._cancelled):
                self._stop(ErrorKind.CANCELLED)
        except InfrastructureError as error:  # asked again soon; a run does not fail for it
            _log.warning("Cannot tell whether the run was cancelled: %s", error)

    def _stop(self, reason: ErrorKind) -> None:
        if not self._reason.done():
            self._reason.set_result(reason)
