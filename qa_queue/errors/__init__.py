"""Every error that qa-queue raises itself: one root, one line a class.

A message says what was wrong, where, and what to do. The root decides nothing; the command line maps the
classes to exit codes and a worker maps them to what happens to the job.
"""

from collections.abc import Mapping


class QAError(Exception):
    """The root of all errors of qa-queue."""


class InputError(QAError):
    """The user's input cannot be used; nothing was enqueued or written."""


class SettingsError(InputError):
    """A setting has a value that is not allowed."""


class CaseError(InputError):
    """A case file cannot be read or breaks the case format; `problems` has every finding, in order."""

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class PayloadError(InputError):
    """Jobs cannot be enqueued as given; `problems` has every finding, in order."""

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class ItemsError(InputError):
    """Items of a request cannot be used, and nothing was done; `faults` has the error of each, by its index."""

    def __init__(self, faults: Mapping[int, InputError], total: int) -> None:
        super().__init__(f"{len(faults)} of {total} cannot be used; nothing was done.")
        self.faults = dict(faults)


class UnknownQueueError(InputError):
    """No queue has this name."""


class NotFoundError(InputError):
    """A run, case or job that was asked for does not exist."""


class ForbiddenError(InputError):
    """The role of the caller does not include what was asked for; nothing was changed."""


class ConflictError(InputError):
    """A request contradicts the current state; nothing was changed."""


class IdempotencyConflictError(InputError):
    """An idempotency key was used before for something else."""


class InfrastructureError(QAError):
    """A part that qa-queue stands on failed; the site under test did not. Jobs that raise it are retried."""


class RedisUnavailableError(InfrastructureError):
    """Redis cannot be reached or refused the login."""


class IdempotencyBusyError(InfrastructureError):
    """Another submission holds the idempotency key and has not ended; nothing of this one was enqueued."""


class StoreError(InfrastructureError):
    """Supabase refused or failed a call."""


class StoreUnavailableError(StoreError):
    """Supabase cannot be reached."""


class StoreAuthError(StoreError):
    """Supabase refused the key."""


class StoreSchemaError(StoreError):
    """A table or column is missing: run `qa-queue migrate`."""


class RowRefusedError(StoreError):
    """Supabase refused the content of a row (SQLSTATE 22xxx or 23xxx); writing it again does not help."""


class BrowserMissingError(InfrastructureError):
    """No browser is installed; the message names the command that installs one."""


class BrowserCrashedError(InfrastructureError):
    """The browser process died under a run."""


class ProcessPausedError(InfrastructureError):
    """The process of a run did not run for a while: it was frozen, or its machine was paused or overloaded."""


class StackError(InfrastructureError):
    """A part of the embedded default did not start or stop."""


class RunCancelledError(QAError):
    """Somebody cancelled the run while it was waiting or running."""


class RunTimedOutError(QAError):
    """The run used up its time."""


class RunReturnedError(QAError):
    """The run cannot begin now; its job returns to the queue without using an attempt."""


class RetryLaterError(QAError):
    """The test failed, and is tried again after everything that waits, alone."""


class EvidenceError(QAError):
    """A piece of evidence could not be taken or kept; it never changes a verdict."""
