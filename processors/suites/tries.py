"""Tries of a case that runs pytest tests: in a warm host process, without a browser session of the worker's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from processors.base import SuiteHosts
from processors.execution.plan import RunPlan
from processors.execution.records import RunOutcome
from processors.execution.reporting import RunReporter
from processors.execution.stopping import CANCEL_TIMEOUT_S
from processors.execution.tries import TryLoop
from processors.execution.verdict import StepResult, limited
from processors.suites.evidence import SuiteEvidence
from processors.suites.results import SuiteTest, ended_row, rows_of, verdict_of
from qa_queue.cases.model import PytestTests
from qa_queue.models import ErrorKind, RunStatus, StepData, utc_now
from qa_queue.models.payloads import PytestSuite
from qa_queue.reports.phases import Phase
from qa_queue.store.records import StepRecord
from qa_queue.suites.process import STACK_S, HostDiedError, HostProcess


@dataclass(frozen=True)
class SuiteTries(TryLoop):
    """All tries of the pytest tests of a run. `environment` is that of their process."""

    hosts: SuiteHosts
    tests: PytestTests
    suite: PytestSuite
    environment: Mapping[str, str] = field(repr=False)

    async def _try(self, test_try: int) -> RunOutcome:
        attempt = _Attempt(self, self._number(test_try), test_try)
        asked = time.perf_counter()
        await self.stop.race(attempt.run(), cancel_s=CANCEL_TIMEOUT_S + 2 * STACK_S)
        ended = time.perf_counter()
        if self.stop.reason is ErrorKind.TIMEOUT:
            await attempt.timed_out()
        await attempt.evidence.keep_texts()
        verdict = limited(
            verdict_of(attempt.tests, attempt.rows, self.stop.reason, self.plan.timeout_ms, attempt.stack),
            attempt.evidence.excess,
        )
        started = attempt.started or ended
        return RunOutcome(
            verdict=verdict,
            attempt=attempt.number,
            total_steps=len(attempt.rows),
            results=tuple(_result(row) for row in attempt.rows),
            flaky=verdict.status is RunStatus.COMPLETED
            and (test_try > 1 or any(one.rerun for one in attempt.tests)),
            starting_ms=round((started - asked) * 1000),
            running_ms=round((ended - started) * 1000),
            notes=tuple(attempt.evidence.notes),
        )


class _Attempt:
    """One try: the tests one after the other; one that ends its process is followed by the others in a new one."""

    def __init__(self, loop: SuiteTries, number: int, test_try: int) -> None:
        self.number = number
        self.tests: list[SuiteTest] = []
        self.rows: list[StepRecord] = []
        self.started: float | None = None
        self.stack = ""  # of the process, when the run had no time left
        self.evidence = SuiteEvidence(loop.plan, number, test_try, loop.services)
        self._loop = loop
        options = {
            f"QA_SUITE_{name.upper()}": on for name, on in loop.plan.evidence.suite_options(test_try).items()
        }
        self._environment = {**loop.environment, **options}
        self._plan: RunPlan = loop.plan
        self._reporter: RunReporter = loop.reporter

    async def run(self) -> None:
        """Run all tests, or until cancelled.

        Raises:
            InputError: the suite cannot be started, or a test does not exist.
        """
        while not self.tests or not all(test.ended for test in self.tests):
            try:
                await self._in_one_host()
            except HostDiedError as error:
                await self._crashed(str(error))

    async def _in_one_host(self) -> None:
        loop = self._loop
        async with loop.hosts.host(loop.suite, self._environment) as host:
            self.started = self.started or time.perf_counter()
            loop.stop.arm(self._plan.timeout_ms)
            selected = await host.select([test.id for test in self.tests if not test.ended] or loop.tests.tests)
            self.tests = self.tests or [SuiteTest(id=one, place=place) for place, one in enumerate(selected, 1)]
            try:
                await self._follow(host, selected)
            except asyncio.CancelledError:
                if loop.stop.reason is ErrorKind.TIMEOUT:
                    self.stack = await host.stack()
                raise

    async def _follow(self, host: HostProcess, selected: Sequence[str]) -> None:
        by_id = {test.id: test for test in self.tests}
        async for test_id, phase in host.run(selected):
            if phase is None:
                await self._end(by_id[test_id], host)
            else:
                await self._phase(by_id[test_id], phase)

    async def _phase(self, test: SuiteTest, phase: Phase) -> None:
        if phase.when in test.phases:  # a plugin of the suite runs the test again
            test.rerun, test.phases = True, {}
        test.phases[phase.when] = phase
        rows = rows_of(self._plan, self.number, test, phase, len(self.rows) + 1, alone=self._alone)
        for row in list(rows):
            await self._report(row, test)

    async def _end(self, test: SuiteTest, host: HostProcess) -> None:
        call = next((row.number for row in reversed(self.rows) if row.error), len(self.rows) or None)
        await self.evidence.collect(test, host.output, call, alone=self._alone)
        test.ended = True

    async def _crashed(self, how: str) -> None:
        if not self.tests:  # while the tests were collected
            wanted = self._loop.tests.tests
            self.tests = [SuiteTest(id=one, place=place) for place, one in enumerate(wanted, 1)]
        test = next(test for test in self.tests if not test.ended)
        test.crash, test.ended = how, True
        await self._report_end(test)

    async def timed_out(self) -> None:
        """Report the phase that ran when the run had no time left."""
        running = next((test for test in self.tests if not test.ended), None)
        if running is not None:
            await self._report_end(running)

    async def _report_end(self, test: SuiteTest) -> None:
        number = len(self.rows) + 1
        row = ended_row(self._plan, self.number, test, number, utc_now(), alone=self._alone, stack=self.stack)
        await self._report(row, test)

    async def _report(self, row: StepRecord, test: SuiteTest) -> None:
        self.rows.append(row)
        self._loop.services.writer.put(row)
        data = StepData(
            action=row.action, position=row.position, status=row.status, duration=row.duration_ms, error=row.error
        )
        name = row.name if self._alone else f"{test.name} > {row.name}"
        await self._reporter.progress(row.number, f"{name}: {row.status.value}", data=data)

    @property
    def _alone(self) -> bool:
        return len(self.tests) == 1


def _result(row: StepRecord) -> StepResult:
    return StepResult(
        number=row.number,
        position=row.position or str(row.number),
        status=row.status,
        started_at=row.started_at,
        duration_ms=row.duration_ms,
        error=row.error,
        kind=row.error_kind,
    )
