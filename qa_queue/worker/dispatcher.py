"""Jobs in flight: started in the child, cancelled and killed in time, and returned with a verdict when they end."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from pydantic_core import PydanticSerializationError

from qa_queue.errors import InputError
from qa_queue.models.outcomes import FailureKind
from qa_queue.worker.child_supervisor import ChildProcess, ChildSupervisor
from qa_queue.worker.executions import ActiveJob, EndedJob, read_call
from qa_queue.worker.ipc import (
    Cancel,
    ChildFailure,
    ChildReady,
    Done,
    Failed,
    FindResult,
    Message,
    Recorded,
    RecordRequest,
    ResultFound,
    Run,
)
from qa_queue.worker.slots import Cancelling, Closing, Overdue, Running, Slot, SlotDeadline, Slots
from qa_queue.worker.verdicts import (
    CrashBlame,
    FailJob,
    FinishJob,
    RequeueJob,
    Verdict,
    blame_for_crash,
    child_failure,
    judge,
    masked,
)

log = logging.getLogger(__name__)


class Dispatcher:
    """Owns the slots and what runs in the children. `started` counts jobs; `grace` is in seconds."""

    def __init__(self, children: ChildSupervisor, *, size: int, grace: float, secrets: Mapping[str, str]) -> None:
        self.started = 0
        self._children = children
        self._slots = Slots(size)
        self._grace = grace
        self._secrets = secrets
        self._ended: list[EndedJob] = []
        self._unrecorded: dict[str, RecordRequest] = {}  # by id, until a child has answered
        self._recorded: list[RecordRequest] = []
        self._lost: dict[str, EndedJob] = {}  # by execution, until a child has read whether the run had ended

    @property
    def free(self) -> int:
        """Number of further jobs that may start."""
        return self._slots.free

    @property
    def empty(self) -> bool:
        """True when no slot is occupied."""
        return not len(self._slots)

    @property
    def idle(self) -> bool:
        """True when no slot is occupied and the children have recorded everything."""
        return self.empty and not self._unrecorded and not self._lost

    @property
    def recording(self) -> Collection[str]:
        """Ids of the jobs whose outcome a child is recording."""
        return {request.context.job_id for request in self._unrecorded.values()}

    @property
    def jobs(self) -> list[ActiveJob]:
        """Jobs in flight, including those whose execution is still to be closed."""
        return [slot.active for slot in self._slots]

    @property
    def running(self) -> list[ActiveJob]:
        """Jobs that have neither ended nor been cancelled."""
        return [slot.active for slot in self._slots.running]

    def start(self, active: ActiveJob, now: float) -> None:
        """Send a job to the child."""
        deadline = SlotDeadline.of(active.job.timeout, now=now, grace=self._grace)
        slot = Slot(active=active, child=self._children.child, state=Running(deadline=deadline))
        self._slots.add(slot)
        self.started += 1
        log.info("Job %s started processing", active.job.id, extra=active.log_fields)
        try:
            function, data = read_call(active.job)
            self._children.send(Run(id=active.id, function=function, data=data, context=active.context))
        except (InputError, PydanticSerializationError) as error:
            self._fail(slot, child_failure(error))
            return
        if slot.child is not None:
            slot.child.runs += 1

    def collect(self) -> list[EndedJob]:
        """Read from the children and return the jobs whose attempt has ended since the last call.

        Raises:
            InputError: the runtime can never start with these settings.
        """
        for message in self._children.receive():
            self._handle(message)
        for child, reason in self._children.reap():
            self._lose(child, reason)
        return self._take_ended()

    def release(self, execution_id: str, request: RecordRequest | None) -> None:
        """Free the slot of a closed execution, and have a child record what became of the run."""
        self._slots.remove(execution_id)
        if request is not None:
            self.record(request)

    def conclude(self, lost: Iterable[EndedJob]) -> None:
        """End jobs whose process was lost; `collect` returns them.

        One that would fail may have stored its result before, so a child reads the row first.
        """
        for ended in lost:
            if not isinstance(ended.verdict, FailJob):
                self._ended.append(ended)
            elif ended.active.id not in self._lost:
                self._lost[ended.active.id] = ended
                self._find_result(ended)

    def record(self, request: RecordRequest) -> None:
        """Have a child record how a run ended or that it is queued again; repeated until one has answered."""
        self._unrecorded[request.id] = request
        if self._children.ready:
            self._children.send(request)

    def take_recorded(self) -> list[RecordRequest]:
        """Return the requests that children have stored since the last call."""
        recorded, self._recorded = self._recorded, []
        return recorded

    def enforce_deadlines(self, now: float) -> None:
        """Cancel the jobs whose time is up, and kill the child when a cancelled one does not end."""
        for slot in self._slots.active:
            match slot.state:
                case Running(deadline=deadline) if deadline.to_cancel(now):
                    message = f"the job used up its {slot.active.job.timeout:g} s"
                    self._cancel(slot, ChildFailure(kind=FailureKind.TIMED_OUT, message=message), now)
                case Cancelling(deadline=deadline) if deadline.to_kill(now):
                    self._kill_overdue(slot)

    def stop_job(self, job_id: str, now: float) -> None:
        """Cancel a job on request of an operator, by RQ's stop command."""
        slot = self._slots.find_job(job_id)
        if slot is None:
            log.warning("Job %s cannot be stopped: it does not run on this worker", job_id)
            return
        failure = ChildFailure(kind=FailureKind.CANCELLED, message="the job was stopped by an operator")
        self._cancel(slot, failure, now, stopped=True)

    def requeue_all(self, reason: str, now: float) -> None:
        """Cancel every job that still runs, so that it returns to its queue."""
        for slot in self._slots.running:
            self._cancel(slot, ChildFailure(kind=FailureKind.RETURNED, message=reason), now)

    def disown(self, active: ActiveJob, now: float) -> None:
        """Cancel a job that another worker has taken over: the run's rows are now the other worker's."""
        if slot := self._slots.find(active.id):
            failure = ChildFailure(kind=FailureKind.CANCELLED, message="another worker has taken the job over")
            self._cancel(slot, failure, now)

    def kill_all(self, reason: str) -> list[EndedJob]:
        """Kill the children and return every job that was still active, to be requeued."""
        self._children.kill()
        for slot in self._slots.active:
            self._bear(slot, CrashBlame.NONE, reason)
        return self._take_ended()

    def retire_idle_children(self) -> None:
        """Let the former children exit that have no run left."""
        self._children.retire_idle(busy={slot.child for slot in self._slots.active if slot.child is not None})

    def _handle(self, message: Message) -> None:
        match message:
            case ChildReady():
                for request in self._unrecorded.values():
                    self._children.send(request)
                for ended in self._lost.values():
                    self._find_result(ended)
            case Done() if slot := self._slots.find(message.id):
                self._end(slot, FinishJob(result=message.result))
            case Failed() if slot := self._slots.find(message.id):
                self._fail(slot, message.failure)
            case Recorded():
                self._end_recording(message)
            case ResultFound() if message.id in self._lost:
                ended = self._lost.pop(message.id)
                found = message.result is not None
                self._ended.append(replace(ended, verdict=FinishJob(result=message.result)) if found else ended)

    def _end_recording(self, answer: Recorded) -> None:
        if answer.id in self._unrecorded:
            request = self._unrecorded.pop(answer.id)
            if answer.stored:
                self._recorded.append(request)

    def _cancel(self, slot: Slot, failure: ChildFailure, now: float, *, stopped: bool = False) -> None:
        match slot.state:
            case Running(deadline=deadline) | Cancelling(deadline=deadline):
                deadline = deadline.after_cancel(now=now, grace=self._grace)
                slot.state = Cancelling(deadline=deadline, cancelled_with=failure, stopped=stopped)
                if slot.child is not None:
                    slot.child.channel.send(Cancel(id=slot.active.id, failure=failure))
            case Overdue():  # its process is killed already
                slot.state = replace(slot.state, stopped=stopped)

    def _kill_overdue(self, slot: Slot) -> None:
        assert isinstance(slot.state, Cancelling)
        log.error("Job %s did not end when it was cancelled; the child process is killed", slot.active.job.id)
        slot.state = Overdue(cancelled_with=slot.state.cancelled_with, stopped=slot.state.stopped)
        if slot.child is not None:
            slot.child.kill()

    def _lose(self, child: ChildProcess, reason: str) -> None:
        """End the runs of a process that has died."""
        lost = self._slots.active_in(child)
        any_overdue = any(isinstance(slot.state, Overdue) for slot in lost)
        for slot in lost:
            blame = blame_for_crash(
                returning=slot.returning,
                overdue=isinstance(slot.state, Overdue),
                any_overdue=any_overdue,
                alone=len(lost) == 1,
            )
            self._bear(slot, blame, self._cause_of_loss(slot, reason))

    def _cause_of_loss(self, slot: Slot, reason: str) -> str:
        if isinstance(slot.state, Overdue):
            message = slot.state.cancelled_with.message
            return f"{message}, and did not end within {self._grace:g} s; its process was killed"
        return f"the worker's process that ran it {reason}"

    def _bear(self, slot: Slot, blame: CrashBlame, message: str) -> None:
        if blame is CrashBlame.ATTEMPT:
            failure = ChildFailure(kind=FailureKind.INFRASTRUCTURE, message=message)
            verdict = self._judged(slot, failure, process_lost=True)
            slot.state = Closing()
            self.conclude([EndedJob(active=slot.active, verdict=verdict)])
            return
        failure = ChildFailure(kind=FailureKind.RETURNED, message=message)
        self._end(slot, RequeueJob(failure=failure, suspect=blame is CrashBlame.SUSPICION))

    def _fail(self, slot: Slot, failure: ChildFailure) -> None:
        self._end(slot, self._judged(slot, failure))

    def _judged(self, slot: Slot, failure: ChildFailure, *, process_lost: bool = False) -> Verdict:
        return judge(
            masked(failure, self._secrets),
            retries_left=slot.active.job.retries_left or 0,
            stopped=slot.stopped,
            process_lost=process_lost,
        )

    def _find_result(self, ended: EndedJob) -> None:
        if self._children.ready:
            self._children.send(FindResult(id=ended.active.id, context=ended.active.context))

    def _end(self, slot: Slot, verdict: Verdict) -> None:
        slot.state = Closing()
        self._ended.append(EndedJob(active=slot.active, verdict=verdict))

    def _take_ended(self) -> list[EndedJob]:
        ended, self._ended = self._ended, []
        return ended
