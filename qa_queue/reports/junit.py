"""JUnit XML in the dialect that CI systems read.

`<failure>` is for tests, `<error>` for the infrastructure, and Surefire's `flakyFailure` for a test that passed on
a retry. Format: the schema of Maven Surefire (surefire-test-report-3.0.xsd), which Jenkins and GitLab accept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from qa_queue.models.outcomes import Outcome
from qa_queue.reports.model import Report, ReportStep, Test, TestAttempt

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SKIPPED = {
    Outcome.SKIPPED: "skipped",
    Outcome.EXPECTED_FAILURE: "expected failure",
    Outcome.CANCELLED: "cancelled",
    Outcome.UNFINISHED: "not finished when the report was made",
}


def junit_xml(report: Report) -> str:
    """Return the report as one `<testsuites>` document with a suite for each case file or test module."""
    root = ET.Element("testsuites", {"name": _clean(report.title), **_totals(report.tests)})
    suites: dict[str, list[Test]] = {}
    for test in report.tests:
        suites.setdefault(test.suite or report.title, []).append(test)
    for name, tests in suites.items():
        suite = ET.SubElement(root, "testsuite", {"name": _clean(name), **_totals(tests)})
        starts = [test.started_at for test in tests if test.started_at]
        if starts:
            suite.set("timestamp", min(starts).isoformat(timespec="seconds"))
        _properties(suite, report.environment)
        for test in tests:
            _case(suite, name, test)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _totals(tests: Sequence[Test]) -> dict[str, str]:
    outcomes = [test.outcome for test in tests]
    return {
        "tests": str(len(tests)),
        "failures": str(sum(one in (Outcome.FAILED, Outcome.TIMED_OUT) for one in outcomes)),
        "errors": str(outcomes.count(Outcome.ERROR)),
        "skipped": str(sum(one in _SKIPPED for one in outcomes)),
        "time": _seconds(sum(test.duration_ms for test in tests)),
    }


def _case(suite: ET.Element, suite_name: str, test: Test) -> None:
    case = ET.SubElement(
        suite, "testcase", classname=_clean(suite_name), name=_clean(test.name), time=_seconds(test.duration_ms)
    )
    _properties(case, {"run": test.id, **({"worker": test.worker} if test.worker else {})})
    match test.outcome:
        case Outcome.FAILED | Outcome.TIMED_OUT:
            _problem(case, "failure", test.error_kind or test.outcome.value, test.error, _steps(test.attempts))
        case Outcome.ERROR:
            _problem(case, "error", test.error_kind or "infrastructure", test.error, _steps(test.attempts))
        case outcome if outcome in _SKIPPED:
            ET.SubElement(case, "skipped", message=_clean(test.error or _SKIPPED[outcome]))
    if test.outcome is Outcome.FLAKY:
        for attempt in test.attempts[:-1]:
            failed = next((step for step in attempt.steps if step.outcome.bad), None)
            _problem(case, "flakyFailure", "flaky", failed.error if failed else None, _steps((attempt,)))
    _output(case, test)


def _problem(case: ET.Element, tag: str, kind: str, message: str | None, text: str) -> None:
    first = (message or kind).strip().splitlines()
    element = ET.SubElement(case, tag, type=kind, message=_clean(first[0] if first else kind))
    element.text = _clean("\n".join(part for part in (message, text) if part))


def _output(case: ET.Element, test: Test) -> None:
    parts = [
        f"--- {title} ---\n{text}" for attempt in test.attempts for title, text in attempt.sections.items() if text
    ]
    parts = [*(f"note: {note}" for note in test.notes), *parts]
    parts += [f"[[ATTACHMENT|{file.path}]]" for attempt in test.attempts for file in attempt.evidence if file.path]
    if parts:
        ET.SubElement(case, "system-out").text = _clean("\n".join(parts))


def _steps(attempts: tuple[TestAttempt, ...]) -> str:
    return "\n".join(_line(step) for attempt in attempts for step in attempt.steps)


def _line(step: ReportStep) -> str:
    remarks = [*step.notes, *([step.error] if step.error else [])]
    error = f": {'; '.join(remarks)}" if remarks else ""
    at = f" at {step.source}" if step.source else ""
    return f"{step.position}. {step.name}{at} [{step.outcome.label}, {step.duration_ms} ms]{error}"


def _properties(parent: ET.Element, values: dict[str, str]) -> None:
    if values:
        properties = ET.SubElement(parent, "properties")
        for name, value in values.items():
            ET.SubElement(properties, "property", name=name, value=_clean(value))


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.3f}"


def _clean(text: str) -> str:
    """Replace what XML 1.0 cannot contain."""
    return _ILLEGAL.sub("\ufffd", text)
