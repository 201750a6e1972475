"""The child process of a worker: one event loop, runtime and warm browser for all of the worker's jobs.

Started as `python -m qa_queue.worker.child FD PARENT_PID`; `FD` is its end of the socket to the worker. The runtime
is named by a dotted path (QA_RUNTIME), so that this package imports no processor.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any, Protocol, Self, cast, runtime_checkable

from pydantic_core import PydanticSerializationError

from qa_queue.errors import InputError, QAError, RowRefusedError, SettingsError, StoreError
from qa_queue.extensions import load_named
from qa_queue.models import JobContext, RuntimeStatistics
from qa_queue.settings import Settings, load_settings, on_redis
from qa_queue.settings.logs import configure_logging
from qa_queue.worker.die_with_parent import die_with_parent
from qa_queue.worker.ipc import (
    CHUNK,
    Abandon,
    Cancel,
    ChildFailure,
    ChildReady,
    ChildStatistics,
    Done,
    Failed,
    FindResult,
    LineBuffer,
    Message,
    Obstacle,
    Recorded,
    RecordRequest,
    Release,
    ResultFound,
    Run,
    Start,
    StartFailed,
    Stop,
    decode,
    encode,
)
from qa_queue.worker.verdicts import child_failure, error_of

log = logging.getLogger(__name__)
_OBSTACLE_CHECK_S = 0.5
_STATISTICS_S = 2.0
_FIND_AGAIN_S = 1.0  # while the database is unavailable


class JobRuntime(Protocol):
    """Runs the jobs of a child process, all of them on one event loop; entered once, left when the child exits."""

    async def __aenter__(self) -> Self:
        """Get ready. An `InputError` ends the worker; after an `InfrastructureError` another child is started."""

    async def __aexit__(self, *exc_info: object) -> None:
        """Release everything."""

    async def perform(self, function_name: str, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
        """Run one job and return its result as JSON.

        Raises:
            InputError: the job cannot be done as given, or no processor has this name.
            RunCancelledError: a user cancelled the run.
            InfrastructureError: a part under the run failed; another attempt may succeed.
        """

    async def abandon(self, context: JobContext, error: QAError) -> None:
        """Record that the job ended with this error and that no attempt will follow; may be called repeatedly."""

    async def release(self, context: JobContext) -> None:
        """Record that the job is queued again and this attempt does not count; may be called repeatedly."""

    def obstacle(self) -> str | None:
        """Return why no more jobs should be taken now; None if they may be taken."""


@runtime_checkable
class ReportsStatistics(Protocol):
    """Optional part of a runtime."""

    def statistics(self) -> RuntimeStatistics:
        """Return the counts since the runtime was entered, and the depth of its outbox."""


@runtime_checkable
class FindsResults(Protocol):
    """Optional part of a runtime whose runs are stored."""

    async def find_result(self, context: JobContext) -> dict[str, Any] | None:
        """Return the result of a run that has ended according to its row; None if it has not, or is dead.

        Raises:
            StoreError: the row cannot be read now.
        """


RuntimeFactory = Callable[[Settings, Sequence[str]], JobRuntime]  # called with the names of the queues


class Child:
    """Runs the jobs that the worker sends, each as a task."""

    def __init__(self, runtime: JobRuntime, writer: asyncio.StreamWriter) -> None:
        self._runtime = runtime
        self._writer = writer
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._recordings: set[asyncio.Task[None]] = set()
        self._cancelled_with: dict[str, ChildFailure] = {}
        self._stop = asyncio.Event()

    async def serve(self, messages: AsyncIterator[Message]) -> None:
        """Handle messages until `Stop` comes, then finish what runs; SIGUSR1 logs what every job is doing."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._log_stacks)
        faulthandler.register(signal.SIGUSR1, chain=True)  # the threads, also while the event loop is blocked
        services = [
            asyncio.create_task(self._listen(messages)),
            asyncio.create_task(self._report_obstacles()),
            asyncio.create_task(self._report_statistics()),
        ]
        for service in services:
            service.add_done_callback(_log_failure)
        await self._stop.wait()
        while tasks := {*self._runs.values(), *self._recordings}:
            await asyncio.gather(*tasks, return_exceptions=True)
        for service in services:
            service.cancel()

    def _log_stacks(self) -> None:
        """Log the stack of every task."""
        for task in asyncio.all_tasks():
            log.warning("Stack of the task %s:\n%s", task.get_name(), "\n".join(_awaited(task.get_coro())))

    async def _report_obstacles(self) -> None:
        known: str | None = None
        while True:
            if (reason := self._runtime.obstacle()) != known:
                known = reason
                await self._send(Obstacle(reason=reason))
            await asyncio.sleep(_OBSTACLE_CHECK_S)

    async def _report_statistics(self) -> None:
        known: ChildStatistics | None = None
        while isinstance(self._runtime, ReportsStatistics):
            statistics = ChildStatistics(**dict(self._runtime.statistics()))
            if statistics != known:
                known = statistics
                await self._send(statistics)
            await asyncio.sleep(_STATISTICS_S)

    async def _listen(self, messages: AsyncIterator[Message]) -> None:
        async for message in messages:
            self._handle(message)
        log.error("The worker is gone; its child process ends.")
        os._exit(1)  # without clean-up, which could keep this process running: there is no one to answer to

    def _handle(self, message: Message) -> None:
        match message:
            case Run():
                self._runs[message.id] = asyncio.create_task(self._run(message))
            case Cancel() if message.id in self._runs:
                self._cancelled_with[message.id] = message.failure
                self._runs[message.id].cancel()
            case Abandon() | Release():
                self._start_recording(self._record(message))
            case FindResult():
                self._start_recording(self._find_result(message))
            case Stop():
                self._stop.set()
            case _:
                log.debug("Message %s is ignored", message.type)

    async def _run(self, job: Run) -> None:
        try:
            result = await self._runtime.perform(job.function, job.data, job.context)
            line = encode(Done(id=job.id, result=result))
        except asyncio.CancelledError:
            failure = self._cancelled_with.pop(job.id, None) or child_failure(QAError("the run was interrupted"))
            line = encode(Failed(id=job.id, failure=failure))
        except PydanticSerializationError as error:
            wrong = InputError(f"the result of job {job.context.job_id} is not JSON: {error}")
            line = encode(Failed(id=job.id, failure=child_failure(wrong)))
        except Exception as error:  # noqa: BLE001 - every error of a processor is an answer
            line = encode(Failed(id=job.id, failure=child_failure(error)))
        finally:
            self._runs.pop(job.id, None)
        await self._write(line)

    def _start_recording(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._recordings.add(task)
        task.add_done_callback(self._recordings.discard)

    async def _record(self, request: RecordRequest) -> None:
        await self._send(Recorded(id=request.id, stored=await self._is_recorded(request)))

    async def _is_recorded(self, request: RecordRequest) -> bool:
        """Return True when the outcome of a job is stored, or never can be."""
        job_id = request.context.job_id
        try:
            if isinstance(request, Abandon):
                await self._runtime.abandon(request.context, error_of(request.failure))
            else:
                await self._runtime.release(request.context)
        except RowRefusedError as error:
            log.error("The outcome of job %s cannot be stored: %s", job_id, error)  # noqa: TRY400 - complete
        except Exception as error:  # noqa: BLE001 - every error is an answer
            log.warning("The outcome of job %s could not be recorded yet: %s", job_id, error)
            return False
        return True

    async def _find_result(self, request: FindResult) -> None:
        result = None
        while isinstance(self._runtime, FindsResults):
            try:
                result = await self._runtime.find_result(request.context)
                break
            except StoreError as error:
                log.warning("Cannot read whether run %s has ended: %s", request.context.job_id, error)
                await asyncio.sleep(_FIND_AGAIN_S)
        await self._send(ResultFound(id=request.id, result=result))

    async def _send(self, message: Message) -> None:
        await self._write(encode(message))

    async def _write(self, line: bytes) -> None:
        self._writer.write(line)
        await self._writer.drain()


def _log_failure(service: asyncio.Task[None]) -> None:
    if not service.cancelled() and (error := service.exception()) is not None:
        log.error("A task of the child process has failed: %s", error, exc_info=error)


def _awaited(coroutine: Any) -> Iterator[str]:
    """Return the places at which a suspended coroutine and those that it awaits are, from the outside in."""
    while (frame := getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)) is not None:
        yield f'  File "{frame.f_code.co_filename}", line {frame.f_lineno}, in {frame.f_code.co_name}'
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)


def load_factory(path: str) -> RuntimeFactory:
    """Return the factory at `module:name`.

    Raises:
        SettingsError: it cannot be imported.
    """
    try:
        return cast(RuntimeFactory, load_named(path))
    except InputError as error:
        raise SettingsError(f"QA_RUNTIME={error} It names a factory as module:name, importable here.") from error


async def _messages(reader: asyncio.StreamReader) -> AsyncIterator[Message]:
    lines = LineBuffer()
    while data := await reader.read(CHUNK):
        for line in lines.feed(data):
            yield decode(line)


async def _main(sock: socket.socket, settings: Settings) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=sock)
    messages = _messages(reader)
    start = await anext(messages)
    assert isinstance(start, Start)
    try:
        settings = on_redis(settings, start.redis_url) if start.redis_url else settings
        runtime = load_factory(settings.qa_runtime)(settings, start.queues)
        async with runtime:
            gc.freeze()  # what is there now stays: no later collection looks through it
            writer.write(encode(ChildReady()))
            await Child(runtime, writer).serve(messages)
    except QAError as error:
        writer.write(encode(StartFailed(failure=child_failure(error))))
    finally:
        writer.close()
        with contextlib.suppress(OSError):  # the worker has already gone
            await writer.wait_closed()


def main(fd: int, parent: int) -> None:
    """Serve the worker at the other end of `fd` until it asks this process to stop or is gone."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the worker decides
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    asyncio.run(_main(socket.socket(fileno=fd), settings))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
