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
from tests.chaos.service import ChaosClient, ChaosObserver, ChaosService, note_results, unfinished_jobs
from tests.support.poll import wait_until

EXIT_S = 180.0  # for a worker to end once it was asked to, and all faults are over
START_S = 300.0  # for the workers to serve
DEADLINE_S = 180.0  # for the next run to end after the last fault, or after the run that ended before it
LONGEST_S = 1800.0  # for every run to end after the last fault


@dataclass(frozen=True)
class ChaosResult:
    """The result of a plan: how long after the last fault all runs had ended, in s, and what was violated.

    `work_s` is what the runs that were left needed at least, had nothing failed. `slowdown` is the time that the
    processes of the service waited for a processor, as a multiple of the time that they had one.
    """

    plan: ChaosPlan
    acknowledged: int
    recovery_s: float
    work_s: float
    slowdown: float
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
        times += f"; slowdown {self.slowdown:.1f}"
        lines = [f"seed {plan.seed}: {figures}: {verdict}; {times}"]
        return "\n".join([*lines, *(f"  {violation}" for violation in self.violations)])


def carry_out(
    plan: ChaosPlan,
    folder: Path,
    supabase: LocalServer,
    browser: Path | None = None,
    *,
    planted: str = "",
    deadline_s: float = DEADLINE_S,
) -> ChaosResult:
    """Carry a plan out in a folder and return the result; a bug may be `planted` in the service.

    Runs that have not ended are a violation once none has ended for `deadline_s`: a busy machine makes the last of
    many runs late, and none of them stuck.
    """
    with ExitStack() as stack:
        service = ChaosService(plan, stack, folder, supabase, browser, planted=planted)
        for worker in service.present:
            worker.says("serves", timeout=START_S)
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
        slow = slowdown(service)
        violations = [*check(service.log_file.read()), *_dead_processes(service)]
        return ChaosResult(plan, len(client.ids), recovery, work, slow, tuple(violations), service.log_file.path)


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
    watch = StuckWatch(deadline_s, time.monotonic())

    def ended() -> bool:
        rows = len(observer.open)
        jobs = len(client.ids if rows else unfinished_jobs(service, client))
        return not rows + jobs or watch.stuck(rows + jobs, time.monotonic())

    with suppress(AssertionError):
        wait_until(ended, timeout=LONGEST_S, what="the end of every run")


class StuckWatch:
    """Tells runs that are stuck from those that are late: none of them has ended for `patience_s`. Pure."""

    def __init__(self, patience_s: float, now: float) -> None:
        self._patience_s = patience_s
        self._least: int | None = None
        self._progress_at = now

    def stuck(self, left: int, now: float) -> bool:
        """Return whether the number of rows and jobs that are left has not fallen for too long."""
        if self._least is None or left < self._least:
            self._least, self._progress_at = left, now
        return now - self._progress_at >= self._patience_s


def slowdown(service: ChaosService) -> float:
    """Return how long the running processes waited for a processor, as a multiple of their time on one (Linux)."""
    ran = waited = 0
    for process in [one for each in service.processes for one in each.family()]:
        with suppress(OSError):
            for statistics in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
                on_processor, in_queue, _ = map(int, statistics.read_text().split())
                ran, waited = ran + on_processor, waited + in_queue
    return waited / ran if ran else 0.0


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
