"""Text formats and grouping by cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_queue.models.outcomes import Outcome
from qa_queue.reports.causes import group
from qa_queue.reports.model import LogEntry
from qa_queue.reports.texts import BRIEF_BYTES, brief, github_annotations, github_summary, totals
from tests.support.report_values import attempt, failed_step, failed_test, flaky_test, make_report, passed_test


def test_brief_shows_step_comparison_console_requests_and_page() -> None:
    """All that a reader needs for a first look stands in the failure's block."""
    log = (
        LogEntry(type="console", level="error", text="TypeError: x is undefined"),
        LogEntry(type="console", level="log", text="ready"),
        LogEntry(type="request", text="GET /api/user 500"),
    )
    tries = (
        attempt(
            outcome=Outcome.FAILED,
            steps=(failed_step("1", source="login.yaml:4"),),
            log=log,
            snapshot='- heading "Sorry"',
        ),
    )
    text = brief(make_report(passed_test(), failed_test(attempts=tries)))
    assert text.splitlines()[0] == "Nightly: 1 passed, 1 failed of 2 tests"
    for part in (
        "FAILED Greeting (login.yaml)",
        "step 1 (login.yaml:4): step 1",
        "expected: text 'Welcome'",
        "actual:   'Sorry'",
        "error: TypeError: x is undefined",
        "GET /api/user 500",
        '- heading "Sorry"',
    ):
        assert part in text
    assert "ready" not in text


def test_brief_is_capped_for_each_failure() -> None:
    """A failure with long evidence is cut at a character, never inside one."""
    log = tuple(LogEntry(type="console", level="error", text="ü" * 2000) for _ in range(20))
    tries = (attempt(outcome=Outcome.FAILED, steps=(failed_step("1"),), log=log),)
    blocks = brief(make_report(failed_test("a", attempts=tries), failed_test("b", attempts=tries))).split("\n\n")
    assert [block.split()[1] for block in blocks[1:]] == ["a", "b"]
    assert all(len(block.encode()) <= BRIEF_BYTES for block in blocks)


def test_failures_of_one_cause_are_one_group() -> None:
    """Numbers, ids, addresses and what was found differ; the largest group comes first."""
    alone = failed_test("alone", error="button 'Buy' was not found in 5000 ms", error_kind="not_found")
    refused = [
        failed_test(
            f"t{port}", error=f"cannot open http://127.0.0.1:{port}/: nothing listens", error_kind="navigation"
        )
        for port in (8080, 9090)
    ]
    causes = group([alone, *refused])
    assert [[test.name for test in cause.tests] for cause in causes] == [["t8080", "t9090"], ["alone"]]


def test_the_github_summary_escapes_markup() -> None:
    """A name cannot break the table or add HTML."""
    text = github_summary(make_report(failed_test("a|b <img src=x>", error="<script>x</script>")))
    assert "a\\|b \\<img src=x\\>" in text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_notes_of_any_test_are_shown() -> None:
    """A passed test may have lost steps; many notes are counted."""
    noted = make_report(passed_test("Tips | all", notes=("step 2 was lost",)))
    assert "note: Tips | all: step 2 was lost\n" in brief(noted)
    assert "- note: Tips \\| all: step 2 was lost" in github_summary(noted)
    assert "note: 5 more notes are in the full report" in brief(make_report(passed_test(notes=("lost",) * 25)))
    assert "note" not in brief(make_report(passed_test())) + github_summary(make_report(passed_test()))


def test_annotations_escape_line_breaks_and_separators(tmp_path: Path) -> None:
    """One workflow command a failure, whatever its message contains."""
    text = github_annotations([failed_test("a: b, c", error="first\nsecond 100%")], tmp_path)
    assert text == "::error title=a%3A b%2C c::first%0Asecond 100%25\n"


def test_annotations_name_the_line_that_failed(tmp_path: Path) -> None:
    """That of the step of a case, or the last one of a traceback in the test's file."""
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "a,b.yaml").touch()
    (tmp_path / "test_shop.py").touch()
    step = failed_step(source="a,b.yaml:14")
    case = failed_test(
        file="./cases/a,b.yaml", error="no", attempts=(attempt(outcome=Outcome.FAILED, steps=(step,)),)
    )
    traceback = {
        "Traceback": "test_shop.py:3: in test_it\n    buy()\npages.py:9: AssertionError\ntest_shop.py:5: x"
    }
    test = failed_test(file="test_shop.py", error="no", attempts=(attempt(sections=traceback),))
    assert github_annotations([case, test], tmp_path).splitlines() == [
        "::error file=cases/a%2Cb.yaml,line=14,title=Greeting::no",
        "::error file=test_shop.py,line=5,title=Greeting::no",
    ]


@pytest.mark.parametrize("file", [None, "missing.yaml", "../outside.yaml"])
def test_annotations_name_no_file_that_is_not_in_the_checkout(tmp_path: Path, file: str | None) -> None:
    (tmp_path / "outside.yaml").touch()
    folder = tmp_path / "checkout"
    folder.mkdir()
    assert github_annotations([failed_test(file=file, error="no")], folder) == "::error title=Greeting::no\n"


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([Outcome.PASSED], Outcome.PASSED),
        ([Outcome.PASSED, Outcome.ADAPTED], Outcome.PASSED),
        ([Outcome.PASSED, Outcome.FLAKY, Outcome.ADAPTED], Outcome.FLAKY),
        ([Outcome.ERROR, Outcome.TIMED_OUT], Outcome.FAILED),
        ([Outcome.PASSED, Outcome.ERROR, Outcome.UNFINISHED], Outcome.ERROR),
        ([Outcome.CANCELLED, Outcome.UNFINISHED], Outcome.UNFINISHED),
        ([], Outcome.PASSED),
    ],
)
def test_the_outcome_of_a_report_is_its_worst(outcomes: list[Outcome], expected: Outcome) -> None:
    """Failed before error before unfinished before cancelled before flaky."""
    assert make_report(*(passed_test(str(n), outcome=one) for n, one in enumerate(outcomes))).outcome is expected


def test_totals_name_every_outcome_that_occurs() -> None:
    """In a fixed order, with the number of tests."""
    assert totals(make_report(flaky_test(), passed_test())) == "1 passed, 1 flaky of 2 tests"
    assert totals(make_report()) == "none of 0 tests"
    broken = [passed_test(outcome=Outcome.ERROR) for _ in range(2)]
    assert totals(make_report(*broken, passed_test(outcome=Outcome.SKIPPED))) == "2 errors, 1 skipped of 3 tests"
