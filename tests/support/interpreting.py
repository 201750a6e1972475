"""Interpreting cases without a browser: each step passes or fails by the name of its target."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from processors.browser.protocol import Finish, StepOutcome
from processors.execution.interpreter import Interpreter, StepLimits
from processors.execution.plan import plan_run
from processors.execution.step_tree import PlannedStep
from processors.execution.stopping import StopSignal
from processors.execution.verdict import RunVerdict, StepResult, halts, judge, step_status
from qa_queue.cases.checks import Check
from qa_queue.cases.model import Case
from qa_queue.cases.reader import parse_case
from qa_queue.cases.yaml_source import read_yaml
from qa_queue.models import ErrorKind, StepStatus, TestJobData, utc_now

Answer = Callable[[Check], StepOutcome]
TRUE = StepOutcome()
FALSE = StepOutcome(error="not so", kind=ErrorKind.ASSERTION)


def nothing_holds(check: Check) -> StepOutcome:
    """Every check of a condition is false."""
    del check
    return FALSE


@dataclass
class Recorder:
    """Does nothing but note what the interpreter asks for.

    A step fails if its target contains `fails`, and if it contains `fails twice`, the first two times. `answer`
    makes the checks of conditions. The run is asked to stop at the step of the position `stop_at`.
    """

    stop_at: str = ""
    answer: Answer = nothing_holds
    stopped: list[str] = field(default_factory=list)
    done: list[PlannedStep] = field(default_factory=list)
    results: list[StepResult] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    async def perform(self, planned: PlannedStep, finish: Finish | None = None) -> StepResult:
        if finish is not None:
            await finish(planned)
        before = sum(one.written == planned.written for one in self.done)
        self.done.append(planned)
        text = str(planned.resolved.args)
        failed = "fails" in text and not ("fails twice" in text and before >= 2)
        outcome = StepOutcome(error="gone", kind=ErrorKind.NOT_FOUND) if failed else StepOutcome()
        if planned.position == self.stop_at:
            self.stopped.append(planned.position)
        return self._note(planned, outcome, step_status(outcome, optional=planned.optional))

    async def look(self, check: Check, timeout_ms: int | None) -> StepOutcome:
        self.looks.append(f"{check.sentence()}{f' in {timeout_ms} ms' if timeout_ms else ''}")
        return self.answer(check)

    @asynccontextmanager
    async def around(self, planned: PlannedStep) -> AsyncIterator[Finish]:
        async def finish(_: object) -> None:
            self.events.append("finish")

        self.events.append("begin")
        try:
            yield finish
        finally:
            self.events.append("end")

    async def fail(self, planned: PlannedStep, outcome: StepOutcome) -> StepResult:
        return self._note(planned, outcome, step_status(outcome, optional=planned.optional))

    def skip(self, planned: PlannedStep, note: str = "") -> None:
        self.done.append(planned)
        self._note(planned, StepOutcome(notes=(note,) if note else ()), StepStatus.SKIPPED)

    def _note(self, planned: PlannedStep, outcome: StepOutcome, status: StepStatus) -> StepResult:
        result = StepResult(
            number=planned.number,
            position=planned.position,
            source=planned.source,
            status=status,
            started_at=utc_now(),
            error=outcome.error,
            kind=outcome.kind,
            notes=outcome.notes,
            halts=halts(planned.written, outcome),
        )
        self.results.append(result)
        return result


@dataclass(frozen=True)
class Interpreted:
    """What became of a case."""

    recorder: Recorder
    verdict: RunVerdict
    stopped: ErrorKind | None

    @property
    def ends(self) -> list[tuple[str, str]]:
        """The position and status of every row, in order."""
        return [(result.position, result.status.value) for result in self.recorder.results]

    @property
    def notes(self) -> dict[str, Sequence[str]]:
        """The notes of the rows that have any, by position."""
        return {result.position: result.notes for result in self.recorder.results if result.notes}


def read_case(text: str) -> Case:
    """The case of a YAML text."""
    document, lines, problems = read_yaml(text, "case.yaml")
    assert problems == []
    return parse_case({"name": "A case", **document}, source="case.yaml", lines=lines)


async def interpret_case(
    text: str, *, max_steps: int = 1_000, max_passes: int = 1_000, source: str | None = None, **recorder: object
) -> Interpreted:
    """Interpret the case of a YAML text; `source` is the file that it stands for."""
    handler = Recorder(**recorder)  # type: ignore[arg-type]
    plan = plan_run(read_case(text), TestJobData(test_case_id="c", test_run_id="r", source=source), {})
    async with StopSignal(lambda: bool(handler.stopped)) as stop:
        interpreter = Interpreter(handler, stop, StepLimits(steps=max_steps, passes=max_passes))
        await interpreter.run(plan.sections, plan.frame)
    verdict = judge(handler.results, max_adaptations=0, stopped=interpreter.stopped)
    return Interpreted(handler, verdict, interpreter.stopped)
