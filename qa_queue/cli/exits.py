"""What the command line's exit code says; pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from qa_queue.errors import InfrastructureError, InputError, QAError, RunCancelledError, RunTimedOutError
from qa_queue.models import RunStatus


class Exit(IntEnum):
    """The exit codes, as the README lists them."""

    OK = 0
    FAILED = 1
    BAD_INPUT = 2
    INFRASTRUCTURE = 3
    TIMED_OUT = 4
    INTERRUPTED = 130


_BY_STATUS = {
    RunStatus.COMPLETED: Exit.OK,
    RunStatus.ADAPTED: Exit.OK,
    RunStatus.FAILED: Exit.FAILED,
    RunStatus.CANCELLED: Exit.FAILED,
    RunStatus.TIMED_OUT: Exit.TIMED_OUT,
    RunStatus.DEAD: Exit.INFRASTRUCTURE,
    RunStatus.QUEUED: Exit.TIMED_OUT,  # still waiting when the follower's time was up
    RunStatus.RUNNING: Exit.TIMED_OUT,
}

_BY_ERROR: tuple[tuple[type[QAError], Exit], ...] = (
    (InputError, Exit.BAD_INPUT),
    (InfrastructureError, Exit.INFRASTRUCTURE),
    (RunTimedOutError, Exit.TIMED_OUT),
    (RunCancelledError, Exit.FAILED),
)

# Infrastructure hides what the site would have shown, so it is said first; then time, then true failures.
_GRAVITY = (Exit.INFRASTRUCTURE, Exit.TIMED_OUT, Exit.FAILED, Exit.OK)


def exit_for_runs(statuses: Iterable[RunStatus]) -> Exit:
    """One code for many runs: the gravest."""
    codes = {_BY_STATUS[status] for status in statuses}
    return next(code for code in _GRAVITY if code in codes or code is Exit.OK)


def exit_for_error(error: QAError) -> Exit:
    """The code for an error that ended a command."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), Exit.FAILED)
