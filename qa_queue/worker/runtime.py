"""What a worker calls to run jobs: a `JobRuntime`, named by dotted path: the worker imports no processor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, cast, runtime_checkable

from qa_queue.errors import InputError, QAError, SettingsError
from qa_queue.extensions import load_named
from qa_queue.models import JobContext
from qa_queue.settings import Settings


class JobRuntime(Protocol):
    """What a child process runs jobs with, all of them on one event loop; entered once, left at its end."""

    async def __aenter__(self) -> Self:
        """Get ready. An `InputError` stops the worker; an `InfrastructureError` is tried again later."""

    async def __aexit__(self, *exc_info: object) -> None:
        """Let go of everything."""

    async def perform(self, function_name: str, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
        """Run one job and return its result as JSON.

        Raises:
            InputError: the job cannot be done as given, or no processor has this name.
            RunCancelledError: somebody cancelled the run.
            InfrastructureError: a part under the run failed; trying again may help.
        """

    async def abandon(self, context: JobContext, error: QAError) -> None:
        """Record that the job ended with this error and that no attempt will follow; once or more often."""

    async def release(self, context: JobContext) -> None:
        """Record that the job waits again as if this attempt had not been; once or more often."""

    def obstacle(self) -> str | None:
        """Why no more jobs should be taken now; None when they may come."""


@runtime_checkable
class Reporting(Protocol):
    """A runtime that also tells of itself; one that does not works as well."""

    def vitals(self) -> dict[str, int]:
        """`browser_restarts` since it was entered; `outbox_bytes` and `outbox_segments` that wait."""


RuntimeFactory = Callable[[Settings, Sequence[str]], JobRuntime]  # the queues that will be served


def load_factory(path: str) -> RuntimeFactory:
    """The factory at `module:name`.

    Raises:
        SettingsError: there is none.
    """
    try:
        return cast(RuntimeFactory, load_named(path))
    except InputError as error:
        raise SettingsError(f"QA_RUNTIME={error} It names a factory as module:name, importable here.") from error
