"""Cancelling runs: a waiting one leaves its queue, a running one is told."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from redis import Redis


class CancelOutcome(StrEnum):
    """What a request to cancel did."""

    REMOVED = "removed"  # it waited or was delayed, and never starts
    SIGNALLED = "signalled"  # a worker has it and was told
    ALREADY_FINISHED = "already_finished"
    UNKNOWN = "unknown"  # no such job


def request_cancel(connection: Redis, run_ids: Sequence[str]) -> dict[str, CancelOutcome]:
    """Cancel these runs, each in one atomic step against a worker that takes it at the same moment.

    A removed run gets its last progress report here; the caller sets the rows of removed runs to cancelled.
    A worker asks `CancelSignals.requested` before it starts a run and while it runs.
    """
    raise NotImplementedError


class CancelSignals:
    """Whether runs are to be cancelled; `processors.base.CancelCheck`."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def requested(self, run_id: str) -> bool:
        """True from the moment of the request, for 24 h; one round trip."""
        raise NotImplementedError
