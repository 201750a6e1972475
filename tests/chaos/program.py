"""One chaos run: the plan of a seed carried out on a service of its own, and checked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from qa_queue.local.process import LocalServer
from tests.chaos.checker import Violation, check
from tests.chaos.events import FAULT, EventLog
from tests.chaos.faults import Undo, begin
from tests.chaos.plan import ChaosPlan, PlannedFault, work_left
from tests.chaos.service import ChaosClient, ChaosObserver, ChaosService, job_statuses, note_results
from tests.chaos.warm import WarmInterpreters
from tests.support.poll import wait_until

_UNFINISHED = {"queued", "scheduled", "started", "deferred", "created"}
EXIT_S = 60.0  # for a worker to end once it was asked to, and all faults are over
DEADLINE_S = 180.0  # for every run to end after the last fault


@dataclass(frozen=True)
class ChaosResult:
    """The result of a plan: how long after the last fault all runs had ended, in s, and what was violated.

    `work_s` is what the runs that were left needed at least, had nothing failed.
    """

    plan: ChaosPlan
    acknowledged: int
    recovery_s: float
    work_s: float
    violations: tuple[Violation, ...]
    log: Path

    @property
    def idle_s(self) -> float:
        """Part of the recovery that the work itself does not explain."""
        return max(0.0, self.recovery_s - self.work_s)

    def __str__(self) -> str:
        plan = self.plan
        figures = f"{len(plan.workers)} workers, {self.acknowledged} runs, {len(plan.faults)} faults"
        verdict = "no violation" if not self.violations else f"{len(self.violations)} VIOLATIONS"
        times = f"all ended {self.recovery_s:.1f} s after the last fault, {self.idle_s:.1f} s beyond the work left"
        lines = [f"seed {plan.seed}: {figures}: {verdict}; {times}"]
        return "\n".join([*lines, *(f"  {violation}" for violation in self.violations)])


def carry_out(
    plan: ChaosPlan,
    folder: Path,
    supabase: LocalServer,
    browser: Path | None = None,
    warm: WarmInterpreters | None = None,
    *,
    planted: str = "",
    deadline_s: float = DEADLINE_S,
) -> ChaosResult:
    """Carry a plan out in a folder and return the result; a bug may be `planted` in the service.

    With `warm` interpreters its processes are forked from them.
    """
    with ExitStack() as stack:
        service = ChaosService(plan, stack, folder, supabase, browser, warm, planted=planted)
        for worker in service.present:
            worker.says("serves", timeout=120)
        start = time.monotonic()
        client = ChaosClient(service, start)
        observer = ChaosObserver(service, client)
        client.start()
        observer.start()
        try:
            _inflict(service, plan.faults, start)
            client.join()
            service.revive()
            healed = time.monotonic()
            work = work_left(plan, set(observer.open), healed - start)
            _wait_for_ends(service, client, observer, deadline_s)
            recovery = time.monotonic() - healed
        finally:
            client.join()
            observer.stop()
        note_results(service, client)
        violations = [*check(service.log_file.read()), *_dead_processes(service)]
        return ChaosResult(plan, len(client.ids), recovery, work, tuple(violations), service.log_file.path)


def _inflict(service: ChaosService, faults: tuple[PlannedFault, ...], start: float) -> None:
    """Begin and end every fault at its time; one that hits a part that is down already has no effect."""
    undone: dict[PlannedFault, Undo] = {}
    begins = [(fault.at, _beginning(service, fault, undone)) for fault in faults]
    ends = [(fault.at + fault.seconds, _ending(service.log_file, fault, undone)) for fault in faults]
    for at, act in sorted([*begins, *ends], key=lambda one: one[0]):
        threading.Event().wait(max(0.0, start + at - time.monotonic()))
        act()


def _beginning(service: ChaosService, fault: PlannedFault, undone: dict[PlannedFault, Undo]) -> Callable[[], None]:
    def act() -> None:
        service.log_file.note(FAULT, name=f"begin {fault.name}", loses=fault.loses)
        undone[fault] = begin(service, fault)

    return act


def _ending(log: EventLog, fault: PlannedFault, undone: dict[PlannedFault, Undo]) -> Callable[[], None]:
    def act() -> None:
        undone.pop(fault)()
        log.note(FAULT, name=f"end {fault.name}", loses=False)

    return act


def _wait_for_ends(service: ChaosService, client: ChaosClient, observer: ChaosObserver, deadline_s: float) -> None:
    """Wait for the end of every run in its row and of its job; after the deadline the checker names those left."""

    def ended() -> bool:
        return not observer.open and not set(job_statuses(service, client).values()) & _UNFINISHED

    with suppress(AssertionError):
        wait_until(ended, timeout=deadline_s, what="the end of every run")


def _dead_processes(service: ChaosService) -> list[Violation]:
    with suppress(AssertionError):
        wait_until(lambda: not any(process.running for process in service.ending), timeout=EXIT_S)
    late = [
        Violation("workers end when asked to", process.log.name, process.text[-2000:])
        for process in service.ending
        if process.running
    ]
    return late + [
        Violation("processes survive", process.log.name, f"has ended: {process.text[-2000:]}")
        for process in service.processes
        if not process.running
    ]
