"""A server of the embedded stack, as the others see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from qa_queue.local.process import LocalService


@dataclass(frozen=True)
class LocalServer:
    """A server that we started. `url` may hold a password, `address` never does; `key` is Supabase's secret key."""

    address: str
    url: str = field(repr=False)
    service: LocalService
    ready: Callable[[], bool] = field(repr=False)
    key: str | None = field(default=None, repr=False)
    start_timeout: float = 30.0

    @property
    def pid(self) -> int:
        """Process id."""
        return self.service.pid

    def wait_until_ready(self) -> Self:
        """Block until the server answers; return it.

        Raises:
            StackError: it ended or did not answer in time.
        """
        self.service.wait_until(self.ready, self.start_timeout)
        return self

    def stop(self) -> None:
        """End the server; does nothing if it has ended."""
        self.service.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()
