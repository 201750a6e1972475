"""JUnit XML, read back with junitparser."""

from __future__ import annotations

from collections.abc import Iterator

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase

from qa_queue.models.outcomes import Outcome
from qa_queue.reports.junit import junit_xml
from qa_queue.reports.model import Report
from tests.support.report_values import (
    attempt,
    failed_step,
    failed_test,
    flaky_test,
    make_report,
    passed_test,
    step,
)


def cases(report: Report) -> Iterator[TestCase]:
    """All test cases of a report's XML."""
    for suite in JUnitXml.fromstring(junit_xml(report).encode()):
        yield from suite


def test_each_outcome_has_the_element_that_ci_systems_expect() -> None:
    """A failed test is a failure, a broken infrastructure an error, a skipped or cancelled one skipped."""
    report = make_report(
        passed_test("passed"),
        passed_test("adapted", outcome=Outcome.ADAPTED),
        failed_test("failed"),
        failed_test("timed out", outcome=Outcome.TIMED_OUT),
        passed_test("error", outcome=Outcome.ERROR, error="Redis is unavailable", error_kind="infrastructure"),
        passed_test("skipped", outcome=Outcome.SKIPPED, error="needs a printer"),
        passed_test("cancelled", outcome=Outcome.CANCELLED),
    )
    found = {case.name: [type(result) for result in case.result] for case in cases(report)}
    assert found == {
        "passed": [],
        "adapted": [],
        "failed": [Failure],
        "timed out": [Failure],
        "error": [Error],
        "skipped": [Skipped],
        "cancelled": [Skipped],
    }


def test_totals_count_each_kind() -> None:
    """The document and its suites carry the same numbers as the outcomes."""
    report = make_report(
        passed_test("a"),
        failed_test("b"),
        passed_test("c", outcome=Outcome.ERROR, suite="other.yaml"),
        passed_test("d", outcome=Outcome.SKIPPED, suite="other.yaml"),
    )
    xml = JUnitXml.fromstring(junit_xml(report).encode())
    assert (xml.tests, xml.failures, xml.errors, xml.skipped) == (4, 1, 1, 1)
    assert [(suite.name, suite.tests, suite.failures) for suite in xml] == [
        ("login.yaml", 2, 1),
        ("other.yaml", 2, 0),
    ]


def test_a_flaky_test_passes_and_shows_its_failed_attempt() -> None:
    """Surefire's `flakyFailure` holds the message of each failed attempt."""
    (case,) = cases(make_report(flaky_test()))
    assert case.is_passed
    (flaky,) = case._elem.findall("flakyFailure")
    assert flaky.get("message", "").startswith("expected text 'Welcome'")


def test_a_failure_shows_message_and_steps() -> None:
    """The first line is the message; the text lists the steps with outcome and duration."""
    tries = (attempt(outcome=Outcome.FAILED, steps=(step(), failed_step(source="greet.yaml:7"))),)
    (case,) = cases(make_report(failed_test(attempts=tries)))
    (failure,) = case.result
    assert failure.message == "step 2: expected text 'Welcome', found 'Sorry' in 5000 ms on #greeting"
    assert failure.type == "assertion"
    assert "1. step 1 [passed, 5 ms]" in failure.text
    assert "2. step 2 at greet.yaml:7 [failed, 5 ms]" in failure.text


def test_notes_are_output() -> None:
    """A reader of a passed test learns what its import lost."""
    (case,) = cases(make_report(passed_test(notes=("step 2 was lost",))))
    assert str(case.system_out).startswith("note: step 2 was lost")


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    """NUL, escape and lone surrogates in names and messages do not break the document."""
    (case,) = cases(make_report(failed_test("a\x00b\x1b[31m", error="\ud800 broken")))
    assert case.name == "a\ufffdb\ufffd[31m"
