"""Slots of a worker: jobs in flight, each with one state and a deadline. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qa_queue.models.outcomes import FailureKind
from qa_queue.worker.executions import ActiveJob
from qa_queue.worker.ipc import ChildFailure

if TYPE_CHECKING:
    from qa_queue.worker.child_supervisor import ChildProcess


@dataclass(frozen=True, kw_only=True)
class SlotDeadline:
    """Moments (monotonic, s) when an attempt is cancelled and when its process is killed; None is never."""

    cancel_at: float | None
    kill_at: float | None

    @classmethod
    def of(cls, timeout: float | None, *, now: float, grace: float) -> SlotDeadline:
        """Return the deadline of an attempt that starts now; `timeout` in s, None or below 0 is unlimited."""
        if timeout is None or timeout < 0:
            return cls(cancel_at=None, kill_at=None)
        return cls(cancel_at=now + timeout, kill_at=now + timeout + grace)

    def after_cancel(self, *, now: float, grace: float) -> SlotDeadline:
        """Return the deadline of an attempt that is cancelled now."""
        kill_at = now + grace
        return SlotDeadline(cancel_at=None, kill_at=kill_at if self.kill_at is None else min(kill_at, self.kill_at))

    def to_cancel(self, now: float) -> bool:
        """Return whether it is time to cancel the attempt."""
        return self.cancel_at is not None and now >= self.cancel_at

    def to_kill(self, now: float) -> bool:
        """Return whether it is time to kill the process that runs it."""
        return self.kill_at is not None and now >= self.kill_at


@dataclass(frozen=True, kw_only=True)
class Running:
    """The attempt runs."""

    deadline: SlotDeadline


@dataclass(frozen=True, kw_only=True)
class Cancelling:
    """The child was asked to cancel the attempt; `stopped` by an operator with RQ's stop command."""

    deadline: SlotDeadline
    cancelled_with: ChildFailure
    stopped: bool = False


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """The attempt did not end when it was cancelled, so its process was killed."""

    cancelled_with: ChildFailure
    stopped: bool = False


@dataclass(frozen=True)
class Closing:
    """The attempt has ended; the slot stays occupied until the execution is closed."""


SlotState = Running | Cancelling | Overdue | Closing


@dataclass(kw_only=True)
class Slot:
    """One job in flight; `child` is the process that runs it."""

    active: ActiveJob
    child: ChildProcess | None
    state: SlotState

    @property
    def stopped(self) -> bool:
        """True if an operator stopped the job."""
        return isinstance(self.state, Cancelling | Overdue) and self.state.stopped

    @property
    def returning(self) -> bool:
        """True if the job was cancelled in order to return to its queue."""
        state = self.state
        return isinstance(state, Cancelling | Overdue) and state.cancelled_with.kind is FailureKind.RETURNED


class Slots:
    """The jobs in flight, by the id of their execution."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._slots: dict[str, Slot] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def __iter__(self) -> Iterator[Slot]:
        return iter(list(self._slots.values()))

    @property
    def free(self) -> int:
        """Number of further jobs that may start; none beside a suspect."""
        return 0 if any(slot.active.suspect for slot in self) else self._size - len(self._slots)

    @property
    def active(self) -> list[Slot]:
        """Slots whose attempt has not ended."""
        return [slot for slot in self if not isinstance(slot.state, Closing)]

    @property
    def running(self) -> list[Slot]:
        """Slots whose attempt has neither ended nor been cancelled."""
        return [slot for slot in self if isinstance(slot.state, Running)]

    def add(self, slot: Slot) -> None:
        """Occupy a slot."""
        self._slots[slot.active.id] = slot

    def remove(self, execution_id: str) -> None:
        """Free the slot of this execution, if it has one."""
        self._slots.pop(execution_id, None)

    def find(self, execution_id: str) -> Slot | None:
        """Return the slot in which this execution is active."""
        return next((slot for slot in self.active if slot.active.id == execution_id), None)

    def find_job(self, job_id: str) -> Slot | None:
        """Return the slot in which this job is active."""
        return next((slot for slot in self.active if slot.active.job.id == job_id), None)

    def active_in(self, child: ChildProcess) -> list[Slot]:
        """Return the slots whose attempt has not ended in this process."""
        return [slot for slot in self.active if slot.child is child]
