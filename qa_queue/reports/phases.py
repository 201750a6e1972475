"""The phases of an attempt of a pytest test (setup, call, teardown) and the outcome that pytest gives them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qa_queue.models.outcomes import Outcome
from qa_queue.reports.model import CheckComparison, Evidence, ReportStep, TestAttempt
from qa_queue.reports.pytest_facts import SNAPSHOT_TITLE, STEPS_PROPERTY, TAGS_PROPERTY, without_surrogates
from qa_queue.reports.trace_calls import with_calls

PHASES = ("setup", "call", "teardown")
EVIDENCE = {
    "playwright_screenshot": ("screenshot", {".png": "image/png", ".jpeg": "image/jpeg"}),
    "playwright_video": ("video", {".webm": "video/webm"}),
    "playwright_trace": ("trace", {".zip": "application/zip"}),
}
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


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One phase as pytest reports it. `start` and `stop` are seconds since the epoch, `duration` is in seconds.

    `message` is that of the exception, or the reason of a skip. `properties` are pytest's user properties.
    """

    when: str
    outcome: str
    start: float
    stop: float
    duration: float
    message: str | None = None
    traceback: str = ""
    wasxfail: str | None = None
    sections: Sequence[Sequence[str]] = ()
    properties: Sequence[Sequence[Any]] = ()

    @property
    def failed(self) -> bool:
        """True if the phase failed, also where a plugin runs the test again."""
        return self.outcome in ("failed", "rerun")


Phases = Mapping[str, Phase]


def outcome_of(phases: Phases) -> Outcome:
    """Return the outcome of an attempt as pytest counts it: a failed fixture is an error, not a failure."""
    setup, call, teardown = (phases.get(name) for name in PHASES)
    if call is not None and call.failed:
        return Outcome.FAILED
    if any(phase is not None and phase.failed for phase in (setup, teardown)):
        return Outcome.ERROR
    if call is None:
        return _unfailed(setup) if setup is not None and setup.outcome == "skipped" else Outcome.UNFINISHED
    return _unfailed(call)


def _unfailed(phase: Phase) -> Outcome:
    if phase.outcome != "skipped":
        return Outcome.FAILED if phase.failed else Outcome.PASSED
    return Outcome.SKIPPED if phase.wasxfail is None else Outcome.EXPECTED_FAILURE


def problem_of(phases: Phases) -> tuple[str | None, str | None]:
    """Return the kind and message of what failed an attempt; of a skip None and its reason."""
    for name in ("call", "setup", "teardown"):
        phase = phases.get(name)
        if phase is None or phase.outcome == "passed":
            continue
        if phase.outcome == "skipped":
            reason = phase.wasxfail if phase.wasxfail is not None else phase.message
            return None, (reason or "").removeprefix("Skipped: ")
        return ("assertion" if name == "call" else name), masked(phase.message or "no message")
    return None, None


def attempt_of(number: int, phases: Phases, root: Path) -> TestAttempt:
    """Return the attempt that these phases are; files that they name are relative to `root`."""
    last = phases.get("teardown") or list(phases.values())[-1]
    sections = {title: masked(text) for title, text in last.sections}
    if traceback := "\n\n".join(masked(phase.traceback) for phase in phases.values() if phase.failed):
        sections = {"Traceback": traceback, **sections}
    attempt = TestAttempt(
        number=number,
        outcome=outcome_of(phases),
        duration_ms=round(sum(phase.duration for phase in phases.values()) * 1000),
        steps=tuple(steps_of(phases)),
        snapshot=sections.pop(SNAPSHOT_TITLE, None),
        sections=sections,
        evidence=tuple(_evidence(last.properties, number, root)),
    )
    return with_calls(attempt)


def steps_of(phases: Phases) -> Iterator[ReportStep]:
    """Yield the phases as steps, each followed by the steps that the test named within it."""
    named = [ReportStep.model_validate(step) for phase in phases.values() for step in _json(phase, STEPS_PROPERTY)]
    inner = {step.position: step for step in named}  # each report repeats what earlier phases recorded
    for number, name in enumerate(PHASES, 1):
        phase = phases.get(name)
        if phase is None:
            continue
        message = masked(phase.message or "no message") if phase.failed else None
        yield ReportStep(
            position=str(number),
            name=name,
            outcome=_unfailed(phase),
            duration_ms=round(phase.duration * 1000),
            error=message,
            comparison=compared(message),
            started_at=moment(phase.start),
        )
        yield from (step for position, step in inner.items() if position.startswith(f"{number}."))


def tags_of(phases: Phases) -> tuple[str, ...]:
    """Return the names of the test's markers."""
    return tuple(sorted({tag for phase in phases.values() for tag in _json(phase, TAGS_PROPERTY)}))


def compared(message: str | None) -> CheckComparison | None:
    """Return both sides of a failed `expect` of Playwright or a failed `assert a == b`."""
    if not message:
        return None
    found = _EXPECTED.search(message) or _ASSERTED.match(message.splitlines()[0])
    return CheckComparison(expected=found["expected"], actual=found["actual"]) if found else None


def masked(text: str) -> str:
    """Replace the values of variables whose names suggest a secret."""
    return _SECRET.sub(r"\g<name>'***'", text)


def moment(seconds: float) -> datetime:
    """Return a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _json(phase: Phase, name: str) -> list[Any]:
    return [
        entry for key, value in phase.properties if key == name for entry in without_surrogates(json.loads(value))
    ]


def _evidence(properties: Iterable[Sequence[Any]], attempt: int, root: Path) -> Iterator[Evidence]:
    for name, value in properties:
        if name in EVIDENCE:
            kind, types = EVIDENCE[name]
            path = root / str(value)
            kept = path.is_file()
            yield Evidence(
                kind=kind,
                name=str(value) if kind == "trace" else path.name,  # the trace is opened by its path
                content_type=types.get(path.suffix, "application/octet-stream"),
                size_bytes=path.stat().st_size if kept else 0,
                attempt=attempt,
                path=str(path) if kept else None,
            )
