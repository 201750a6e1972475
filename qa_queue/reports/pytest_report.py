"""The read model of a pytest session, built from pytest's own reports. No I/O but the size of kept files."""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qa_queue.reports.collect import environment
from qa_queue.reports.model import Attempt, Comparison, Evidence, Outcome, Report, Step, Test

STEPS_PROPERTY, TAGS_PROPERTY = "qa_steps", "qa_tags"
PHASES = ("setup", "call", "teardown")
_KINDS = {"playwright_screenshot": "screenshot", "playwright_video": "video", "playwright_trace": "trace"}
# Variables whose values never leave a traceback: in its source lines and as `--showlocals` prints them.
_SECRET = re.compile(
    r"^(?P<name>[>E ]*\w*(?:password|passwd|secret|token|api_?key|authorization|cookie)\w*\s*=\s*).*$",
    re.IGNORECASE | re.MULTILINE,
)
_EXPECTED = re.compile(
    r"expected (?P<expected>(?:not )?to [^\n]*)\n(?:.*\n)*?"
    r"Actual value: (?P<actual>.*?) ?(?:\n(?:Error|Call log):|$)",
    re.DOTALL,
)
_ASSERTED = re.compile(r"^(?:E\s+)?(?:AssertionError: )?assert (?P<actual>.+?) == (?P<expected>.+)$")


@dataclass
class _Try:
    """The reports of one attempt, by phase."""

    phases: dict[str, Any] = field(default_factory=dict)


class SessionCollector:
    """Gathers pytest's reports and turns them into a `Report`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._tries: dict[str, list[_Try]] = {}
        self._broken: list[Test] = []

    def add(self, report: Any) -> None:
        """Add the report of one phase; a second setup of a test begins its next attempt."""
        tries = self._tries.setdefault(report.nodeid, [])
        if not tries or report.when in tries[-1].phases:
            tries.append(_Try())
        tries[-1].phases[report.when] = report

    def add_collection_error(self, report: Any) -> None:
        """Add a file that could not be collected."""
        text = str(report.longrepr)
        traceback = Attempt(number=1, outcome=Outcome.ERROR, duration_ms=0, sections={"Traceback": _masked(text)})
        self._broken.append(
            Test(
                id=report.nodeid,
                name=report.nodeid,
                suite=report.nodeid,
                outcome=Outcome.ERROR,
                error=_last_line(text),
                error_kind="collection",
                attempts=(traceback,),
            )
        )

    def report(self, title: str, now: datetime) -> Report:
        """Return the report of everything that was added."""
        tests = (*self._broken, *(self._test(node_id, tries) for node_id, tries in self._tries.items()))
        starts = [test.started_at for test in tests if test.started_at]
        ends = [test.finished_at for test in tests if test.finished_at]
        return Report(
            title=title,
            kind="session",
            created_at=now,
            started_at=min(starts, default=None),
            finished_at=max(ends, default=None),
            environment=environment(),
            tests=tests,
        )

    def _test(self, node_id: str, tries: Sequence[_Try]) -> Test:
        attempts = tuple(self._attempt(number, one) for number, one in enumerate(tries, 1))
        outcome = attempts[-1].outcome
        if outcome is Outcome.PASSED and any(one.outcome.bad for one in attempts):
            outcome = Outcome.FLAKY
        file, _, name = node_id.partition("::")
        phases = [phase for one in tries for phase in one.phases.values()]
        kind, message = _problem(tries[-1])
        return Test(
            id=node_id,
            name=name.replace("::", " > ") or node_id,
            suite=file,
            tags=_tags(phases[-1].user_properties),
            outcome=outcome,
            error=message,
            error_kind=kind if outcome.bad else None,
            worker=getattr(phases[0], "worker_id", None),
            started_at=_moment(min(phase.start for phase in phases)),
            finished_at=_moment(max(phase.stop for phase in phases)),
            duration_ms=sum(one.duration_ms for one in attempts),
            attempts=attempts,
        )

    def _attempt(self, number: int, one: _Try) -> Attempt:
        last = one.phases.get("teardown") or next(reversed(one.phases.values()))
        sections = {title: _masked(text) for title, text in last.sections}
        if text := _traceback(one):
            sections = {"Traceback": text, **sections}
        return Attempt(
            number=number,
            outcome=_outcome(one),
            duration_ms=round(sum(phase.duration for phase in one.phases.values()) * 1000),
            steps=tuple(_steps(one)),
            sections=sections,
            evidence=tuple(self._evidence(last.user_properties, number)),
        )

    def _evidence(self, properties: Sequence[tuple[str, Any]], attempt: int) -> Iterable[Evidence]:
        for name, value in properties:
            if name in _KINDS:
                path = self._root / str(value)
                kept = path.is_file()
                yield Evidence(
                    kind=_KINDS[name],
                    name=path.name,
                    content_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
                    size_bytes=path.stat().st_size if kept else 0,
                    attempt=attempt,
                    path=str(path) if kept else None,
                )


def _outcome(one: _Try) -> Outcome:
    """Return the outcome of an attempt as pytest counts it: a failed fixture is an error, not a failure."""
    call = one.phases.get("call")
    setup, teardown = one.phases.get("setup"), one.phases.get("teardown")
    if any(phase is not None and phase.outcome in ("failed", "rerun") for phase in (setup, teardown)):
        return Outcome.FAILED if call is not None and call.outcome == "failed" else Outcome.ERROR
    if call is None:
        return _skipped(setup) if setup is not None else Outcome.ERROR
    if call.outcome in ("failed", "rerun"):
        return Outcome.FAILED
    return _skipped(call) if call.outcome == "skipped" else Outcome.PASSED


def _skipped(phase: Any) -> Outcome:
    if phase.outcome != "skipped":
        return Outcome.UNFINISHED
    return Outcome.EXPECTED_FAILURE if hasattr(phase, "wasxfail") else Outcome.SKIPPED


def _problem(one: _Try) -> tuple[str | None, str | None]:
    """Return the phase that decided a bad outcome and its message, or the reason of a skip."""
    for name in ("call", "setup", "teardown"):
        phase = one.phases.get(name)
        if phase is None or phase.outcome == "passed":
            continue
        if phase.outcome == "skipped":
            reason = getattr(phase, "wasxfail", None)
            return None, reason if reason is not None else _skip_reason(phase.longrepr)
        return ("assertion" if name == "call" else name), message_of(phase)
    return None, None


def message_of(phase: Any) -> str:
    """Return the message of the exception that failed a phase, without its traceback."""
    crash = getattr(phase.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else _last_line(str(phase.longrepr))
    return _masked(text)


def _skip_reason(longrepr: Any) -> str:
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return str(text).removeprefix("Skipped: ")


def _traceback(one: _Try) -> str:
    failed = [phase for phase in one.phases.values() if phase.outcome in ("failed", "rerun")]
    return "\n\n".join(_masked(phase.longreprtext) for phase in failed)


def _steps(one: _Try) -> Iterable[Step]:
    """Return the phases as steps, each followed by the steps that the test named within it."""
    named = [Step.model_validate(step) for phase in one.phases.values() for step in _named(phase.user_properties)]
    inner = {step.position: step for step in named}  # each report repeats what earlier phases recorded
    for number, name in enumerate(PHASES, 1):
        phase = one.phases.get(name)
        if phase is None:
            continue
        failed = phase.outcome in ("failed", "rerun")
        message = message_of(phase) if failed else None
        yield Step(
            position=str(number),
            name=name,
            outcome=_phase_outcome(phase),
            duration_ms=round(phase.duration * 1000),
            error=message,
            comparison=compared(message),
        )
        yield from (step for position, step in inner.items() if position.startswith(f"{number}."))


def _tags(properties: Sequence[tuple[str, Any]]) -> tuple[str, ...]:
    return tuple(sorted({tag for name, value in properties if name == TAGS_PROPERTY for tag in json.loads(value)}))


def _phase_outcome(phase: Any) -> Outcome:
    if phase.outcome in ("failed", "rerun"):
        return Outcome.FAILED
    return _skipped(phase) if phase.outcome == "skipped" else Outcome.PASSED


def _named(properties: Sequence[tuple[str, Any]]) -> list[dict[str, Any]]:
    return [step for name, value in properties if name == STEPS_PROPERTY for step in json.loads(value)]


def compared(message: str | None) -> Comparison | None:
    """Return both sides of a failed `expect` of Playwright or a failed `assert a == b`."""
    if not message:
        return None
    found = _EXPECTED.search(message) or _ASSERTED.match(message.splitlines()[0])
    return Comparison(expected=found["expected"], actual=found["actual"]) if found else None


def _masked(text: str) -> str:
    return _SECRET.sub(r"\g<name>'***'", text)


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].removeprefix("E").strip() if lines else "no message"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
