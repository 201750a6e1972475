"""The life of the jobs in flight: started in the child, told to end in time, their books closed in order."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from pydantic_core import PydanticSerializationError
from redis.exceptions import RedisError

from qa_queue.errors import InputError
from qa_queue.models.outcomes import FailureKind
from qa_queue.queues.dequeue import ReservedJob
from qa_queue.worker.bookkeeping import Bookkeeping, UnreadableJobError, read_call
from qa_queue.worker.child_supervisor import ChildSupervisor
from qa_queue.worker.fencing import LostError
from qa_queue.worker.ipc import (
    Abandon,
    Cancel,
    ChildFailure,
    Done,
    Failed,
    Message,
    Noted,
    Release,
    Run,
)
from qa_queue.worker.outcome import (
    CrashBlame,
    FailJob,
    FinishJob,
    Requeue,
    RetryJob,
    Verdict,
    describe,
    judge,
    masked,
    share_of_death,
)
from qa_queue.worker.process import ChildProcess
from qa_queue.worker.slots import Slot, Slots

log = logging.getLogger(__name__)


class Dispatcher:
    """`closed` counts the jobs whose books are closed; `after_close` is called with the queue's name of each."""

    def __init__(
        self,
        slots: Slots,
        ledger: Bookkeeping,
        keeper: ChildSupervisor,
        *,
        grace: float,
        after_close: Callable[[str], None],
        secrets: Mapping[str, str],
    ) -> None:
        self.closed = 0
        self._slots = slots
        self._ledger = ledger
        self._keeper = keeper
        self._grace = grace
        self._after_close = after_close
        self._secrets = secrets
        self._closings: deque[Slot] = deque()
        self._kept = False  # whether books wait for Redis, which is said once
        self._notes: dict[str, Abandon | Release] = {}  # what a child is to record and has not answered for

    @property
    def idle(self) -> bool:
        """Whether nothing runs and everything is recorded."""
        return not len(self._slots) and not self._closings and not self._notes

    def start(self, taken: ReservedJob, *, suspect: bool = False) -> None:
        """Start a job that was taken from its queue; a suspect one in company of none."""
        try:
            slot = self._ledger.open(taken, suspect=suspect)
        except UnreadableJobError as error:
            log.error("It is a dead letter now: %s", error)  # noqa: TRY400 - the message says it all
            failure = masked(describe(error), self._secrets)
            self._note(Abandon(id=error.context.job_id, context=error.context, failure=failure))
            return
        if slot is None:
            return
        self._slots.add(slot)
        context = slot.context
        log.info("Job %s started processing", context.job_id, extra=_data(slot))
        try:
            function, data = read_call(slot.job)
            self._keeper.send(Run(id=slot.execution.id, function=function, data=data, context=context))
        except (InputError, PydanticSerializationError) as error:
            self._conclude_failure(slot, describe(error))
            return
        slot.child = self._keeper.child
        if slot.child is not None:
            slot.child.runs += 1

    def handle(self, message: Message) -> None:
        """Take an answer of the child."""
        match message:
            case Done() if slot := self._slots.get(message.id):
                self._conclude(slot, FinishJob(result=message.result))
            case Failed() if slot := self._slots.get(message.id):
                self._conclude_failure(slot, message.failure)
            case Noted():
                self._notes.pop(message.id, None)
            case _:
                log.debug("The child says: %s", message.type)

    def lose(self, child: ChildProcess, reason: str) -> None:
        """A process has died, and every run in it ended."""
        lost = self._slots.running_in(child)
        somebody_overdue = any(slot.overdue for slot in lost)
        for slot in lost:
            message = f"the worker's process that ran it {reason}"
            if slot.told is not None and slot.overdue:
                message = f"{slot.told.message}, and did not end within {self._grace:g} s; its process was ended"
            share = share_of_death(
                returning=slot.told is not None and slot.told.kind is FailureKind.RETURNED,
                overdue=slot.overdue,
                somebody_overdue=somebody_overdue,
                alone=len(lost) == 1,
            )
            self._bear(slot, share, message)

    def return_all(self, reason: str) -> None:
        """Have every run that is still on its way end, and give its job back to the queue as it was."""
        for slot in self._slots.running:
            if slot.told is None:
                self._tell(slot, ChildFailure(kind=FailureKind.RETURNED, message=reason))

    def lose_all(self, reason: str) -> None:
        """Give the job of every run back to the queue; their processes are ended already."""
        for slot in self._slots.running:
            self._bear(slot, CrashBlame.NOTHING, reason)

    def check_deadlines(self) -> None:
        """Tell what is over time to end, and end the child when that does not help."""
        now = time.monotonic()
        for slot in self._slots.running:
            if slot.deadline.to_kill(now):
                log.error("Job %s did not end when told; the child process is ended", slot.job.id)
                slot.overdue = True
                if slot.child is not None:
                    slot.child.kill()
                return
            if slot.deadline.to_cancel(now):
                message = f"the job used up its {slot.job.timeout:g} s"
                self._tell(slot, ChildFailure(kind=FailureKind.TIMED_OUT, message=message))

    def stop_job(self, job_id: str) -> None:
        """End a run as an operator asked by RQ's stop command."""
        slot = self._slots.of_job(job_id)
        if slot is None:
            log.warning("Job %s is to be stopped, but does not run here", job_id)
            return
        slot.stopped = True
        self._tell(slot, ChildFailure(kind=FailureKind.CANCELLED, message="the job was stopped by an operator"))

    def take_over(self, slot: Slot, failure: ChildFailure) -> None:
        """Close what a dead worker left open."""
        self._slots.add(slot)
        self._conclude_failure(slot, failure)

    def send_notes(self) -> None:
        """Have a new child record what the last one did not answer for."""
        for message in self._notes.values():
            self._keeper.send(message)

    def close_books(self) -> None:
        """Close the books of what has ended, in order; what Redis refuses stays for the next turn."""
        while self._closings:
            slot = self._closings[0]
            try:
                self._close(slot)
            except RedisError as error:
                if not self._kept:
                    log.warning("The end of job %s is kept until Redis is back (%s)", slot.job.id, error)
                self._kept = True
                return
            self._kept = False
            self._closings.popleft()
            self._slots.remove(slot)
            self.closed += 1
            self._after_close(slot.queue.name)

    def _tell(self, slot: Slot, failure: ChildFailure) -> None:
        slot.told = failure
        slot.deadline = slot.deadline.sooner(now=time.monotonic(), grace=self._grace)
        if slot.child is not None:
            slot.child.channel.send(Cancel(id=slot.execution.id, failure=failure))

    def _bear(self, slot: Slot, share: CrashBlame, message: str) -> None:
        if share is CrashBlame.ATTEMPT:
            self._conclude_failure(slot, ChildFailure(kind=FailureKind.INFRASTRUCTURE, message=message))
            return
        failure = ChildFailure(kind=FailureKind.RETURNED, message=message)
        self._conclude(slot, Requeue(failure=failure, suspect=share is CrashBlame.SUSPICION))

    def disown(self, slot: Slot) -> None:
        """Another worker has taken the execution over: end the run here, for its rows are another's."""
        self._tell(slot, ChildFailure(kind=FailureKind.CANCELLED, message="another worker has taken the job over"))

    def _conclude_failure(self, slot: Slot, failure: ChildFailure) -> None:
        failure = masked(failure, self._secrets)
        self._conclude(slot, judge(failure, retries_left=slot.job.retries_left or 0, stopped=slot.stopped))

    def _conclude(self, slot: Slot, verdict: Verdict) -> None:
        slot.verdict = verdict
        self._closings.append(slot)

    def _close(self, slot: Slot) -> None:
        try:
            self._enter(slot)
        except LostError:
            log.warning("Job %s was taken over by another worker; what came of it here is dropped", slot.job.id)

    def _enter(self, slot: Slot) -> None:
        match slot.verdict:
            case FinishJob(result=result):
                self._ledger.finish(slot, result)
                log.info("Job %s finished: %s", slot.job.id, _status(result), extra=_data(slot))
            case RetryJob(failure=failure):
                self._ledger.retry(slot, failure)
                _log_failure(slot, failure, "is tried again")
            case FailJob(failure=failure):
                (self._ledger.stopped if slot.stopped else self._ledger.fail)(slot, failure)
                self._abandon(slot, failure)
                _log_failure(slot, failure, "is not tried again")
            case Requeue(failure=failure, suspect=suspect):
                self._ledger.hand_back(slot, suspect=suspect)
                self._note(Release(id=slot.execution.id, context=slot.context))
                log.warning("Job %s waits again, as it was: %s", slot.job.id, failure.message, extra=_data(slot))

    def _abandon(self, slot: Slot, failure: ChildFailure) -> None:
        context = slot.context
        context = replace(context, max_attempts=min(context.attempt, context.max_attempts))
        self._note(Abandon(id=slot.execution.id, context=context, failure=failure))

    def _note(self, message: Abandon | Release) -> None:
        self._notes[message.id] = message
        if self._keeper.ready:
            self._keeper.send(message)


def _status(result: object) -> str:
    return str(result.get("status", "done")) if isinstance(result, dict) else "done"


def _data(slot: Slot) -> dict[str, object]:
    context = slot.context
    return {"data": {"job_id": context.job_id, "queue": context.queue, "attempt": context.attempt}}


def _log_failure(slot: Slot, failure: ChildFailure, what_next: str) -> None:
    context = slot.context
    log.error(
        "Job %s failed on attempt %d of %d and %s: %s",
        context.job_id,
        context.attempt,
        context.max_attempts,
        what_next,
        failure.message,
        extra=_data(slot),
    )
    if failure.kind is FailureKind.BUG:
        log.error("%s", failure.detail.rstrip())
