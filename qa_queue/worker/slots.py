"""The jobs in flight: which run, since when, until when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qa_queue.models import JobContext
from qa_queue.worker.ipc import ChildFailure
from qa_queue.worker.outcome import Verdict

if TYPE_CHECKING:
    from rq import Queue
    from rq.executions import Execution
    from rq.job import Job

    from qa_queue.worker.process import ChildProcess


@dataclass(frozen=True, kw_only=True)
class SlotDeadline:
    """When an attempt is told to end and when it is ended, in seconds of a monotonic clock; None is never."""

    cancel_at: float | None
    kill_at: float | None

    @classmethod
    def of(cls, timeout: float | None, *, now: float, grace: float) -> SlotDeadline:
        """The deadline of an attempt that starts now; `timeout` in s, None or below 0 is none."""
        if timeout is None or timeout < 0:
            return cls(cancel_at=None, kill_at=None)
        return cls(cancel_at=now + timeout, kill_at=now + timeout + grace)

    def sooner(self, *, now: float, grace: float) -> SlotDeadline:
        """The deadline of an attempt that has been told to end now."""
        kill_at = now + grace
        return SlotDeadline(cancel_at=None, kill_at=kill_at if self.kill_at is None else min(kill_at, self.kill_at))

    def to_cancel(self, now: float) -> bool:
        """Whether it is time to tell the attempt to end."""
        return self.cancel_at is not None and now >= self.cancel_at

    def to_kill(self, now: float) -> bool:
        """Whether it is time to end the process that runs it."""
        return self.kill_at is not None and now >= self.kill_at


@dataclass(kw_only=True)
class Slot:
    """One job in flight.

    `stopped` once an operator has asked for its end by RQ's stop command; `told` is what it was told when its time
    was up, `overdue` once it has not ended in time all the same; `verdict` once its attempt has ended and only the
    books are still to be closed. A `suspect` runs alone. `child` is the process that runs it.
    """

    job: Job
    queue: Queue
    execution: Execution
    context: JobContext
    deadline: SlotDeadline
    child: ChildProcess | None = None
    suspect: bool = False
    stopped: bool = False
    overdue: bool = False
    told: ChildFailure | None = None
    verdict: Verdict | None = None


class Slots:
    """The jobs in flight, by the id of their execution."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._slots: dict[str, Slot] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def __iter__(self) -> Iterator[Slot]:
        return iter(list(self._slots.values()))

    @property
    def free(self) -> int:
        """How many more jobs may start; none beside a suspect."""
        return 0 if any(slot.suspect for slot in self) else self.size - len(self._slots)

    def add(self, slot: Slot) -> None:
        """A job has started."""
        self._slots[slot.execution.id] = slot

    def get(self, execution_id: str) -> Slot | None:
        """The slot of this execution; None when it is not in flight."""
        return self._slots.get(execution_id)

    def remove(self, slot: Slot) -> None:
        """A job has ended and its books are closed."""
        self._slots.pop(slot.execution.id, None)

    @property
    def running(self) -> list[Slot]:
        """The jobs whose attempt has not ended."""
        return [slot for slot in self if slot.verdict is None]

    def running_in(self, child: ChildProcess) -> list[Slot]:
        """The jobs whose attempt has not ended in this process."""
        return [slot for slot in self.running if slot.child is child]

    def of_job(self, job_id: str) -> Slot | None:
        """The slot of this job."""
        return next((slot for slot in self if slot.job.id == job_id), None)
