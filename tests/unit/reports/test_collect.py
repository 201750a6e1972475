"""The read model, built from rows and files."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import jsonschema
import pytest

from qa_queue.models import ArtifactKind, ErrorKind, RunStatus, StepStatus
from qa_queue.models.outcomes import Outcome
from qa_queue.reports.collect import compared, report_of_runs
from qa_queue.reports.model import CheckComparison, Report
from qa_queue.reports.render import json_report, report_schema
from qa_queue.reports.rows import EvidencePlace
from qa_queue.store.artifacts import ArtifactFiles
from qa_queue.store.memory import MemoryStore
from tests.support.records import NOON, adaptation_row, artifact_record, case_record, finished_run, step_record


def place(folder: Path) -> EvidencePlace:
    return EvidencePlace(files=ArtifactFiles(folder))


def test_a_run_with_all_its_evidence(tmp_path: Path) -> None:
    """Attempts side by side, steps with errors, pictures at their step, the console, the adaptation."""
    store, case = MemoryStore(), case_record(name="Sign in", source="/cases/login.yaml", tags=("smoke",))
    run = finished_run(case, RunStatus.FAILED, error="step 2: no", error_kind=ErrorKind.ASSERTION, attempt=2)
    run = run.model_copy(update={"notes": ("step 4 was lost",)})
    failed = "expected text 'A', found 'B' in 5000 ms on #x"
    (tmp_path / "console.jsonl").write_text(
        json.dumps({"type": "console", "level": "error", "text": "boom"}) + "\n"
    )
    (tmp_path / "shot.png").write_bytes(b"png")
    store.save_cases([case])
    store.save(
        [
            run,
            step_record(run, 1, status=StepStatus.FAILED, error="first"),
            step_record(run, 1, 2, status=StepStatus.ADAPTED),
            step_record(run, 2, 2, status=StepStatus.FAILED, error=failed, source="login.yaml:9"),
            artifact_record(run, "shot.png", 2, step_number=2, path="shot.png"),
            artifact_record(
                run,
                "console.jsonl",
                2,
                kind=ArtifactKind.CONSOLE,
                path="console.jsonl",
                content_type="application/x",
            ),
            artifact_record(run, "gone.png", 2, path="gone.png"),
            adaptation_row(run, attempt=2, step_number=1),
        ]
    )
    (test,) = report_of_runs(store, place(tmp_path), [run], kind="run", id_=run.id, now=NOON).tests
    assert (test.name, test.suite, test.tags, test.outcome) == ("Sign in", "login.yaml", ("smoke",), Outcome.FAILED)
    assert [(one.number, one.outcome) for one in test.attempts] == [(1, Outcome.FAILED), (2, Outcome.FAILED)]
    assert test.notes == ("step 4 was lost",)
    last = test.attempts[1]
    assert [one.outcome for one in last.steps] == [Outcome.ADAPTED, Outcome.FAILED]
    assert last.steps[0].adaptation is not None
    assert last.steps[1].comparison == CheckComparison(expected="text 'A'", actual="'B'")
    assert [(entry.level, entry.text) for entry in last.log] == [("error", "boom")]
    assert {file.name: (file.step, file.path is not None) for file in last.evidence} == {
        "shot.png": ("2", True),
        "console.jsonl": (None, True),
        "gone.png": (None, False),
    }
    assert test.failed_step == last.steps[1]
    assert [step.source for step in last.steps] == [None, "login.yaml:9"]


def test_a_batch_keeps_the_order_of_its_runs_and_knows_flaky_ones(tmp_path: Path) -> None:
    """With the totals of all, beyond one page of rows."""
    store, case, batch = MemoryStore(), case_record(), str(uuid4())
    runs = [finished_run(case, batch_id=batch, flaky=number == 3) for number in range(130)]
    store.save_cases([case])
    store.save(runs)
    store.save([step_record(run) for run in runs])
    report = report_of_runs(store, place(tmp_path), runs, kind="batch", id_=batch, title="Nightly", now=NOON)
    assert report.counts == {"passed": 129, "flaky": 1}
    assert all(len(test.attempts[0].steps) == 1 for test in report.tests)


def test_the_json_report_follows_its_schema(tmp_path: Path) -> None:
    """As a program would check it."""
    store, case = MemoryStore(), case_record()
    run = finished_run(case)
    store.save_cases([case])
    store.save([run, step_record(run)])
    document = json.loads(
        json_report(report_of_runs(store, place(tmp_path), [run], kind="run", id_=run.id, now=NOON))
    )
    jsonschema.validate(document, report_schema())
    assert document["counts"] == {"passed": 1}
    assert document["outcome"] == "passed"


@pytest.mark.parametrize("error", [None, "button 'x' was not found in 5000 ms", "expected nothing of the kind"])
def test_other_messages_have_no_comparison(error: str | None) -> None:
    """Only the message of a check has two sides."""
    assert compared(error) is None


TAGS = {"test_cart.py::TestB::test_b": ["smoke"], "test_cart.py::test_a": []}
CASE = {"name": "test_cart.py", "pytest": {"root": "/shop", "tests": ["test_cart.py"], "tags": TAGS}}


Row = tuple[str, StepStatus, ErrorKind | None]  # action, status and kind of error


def suite_report(tmp_path: Path, status: RunStatus, rows: list[tuple[str, *Row]]) -> Report:
    """The report of a run of pytest tests; each row is its test, its action, its status and its kind of error."""
    store, case = MemoryStore(), case_record(name="test_cart.py", definition=CASE)
    run = finished_run(case, status, attempt=1)
    store.save_cases([case])
    steps = [
        step_record(run, number, action=action, status=status, error_kind=kind, parents=(f"test_cart.py::{test}",))
        for number, (test, action, status, kind) in enumerate(rows, 1)
    ]
    store.save([run, *steps])
    return report_of_runs(store, place(tmp_path), [run], kind="run", id_=run.id, now=NOON)


PASSED, FAILED, SKIPPED = StepStatus.PASSED, StepStatus.FAILED, StepStatus.SKIPPED


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        ([("setup", PASSED, None), ("call", PASSED, None), ("teardown", PASSED, None)], Outcome.PASSED),
        (
            [("setup", PASSED, None), ("call", FAILED, ErrorKind.ASSERTION), ("teardown", PASSED, None)],
            Outcome.FAILED,
        ),
        ([("setup", FAILED, ErrorKind.FIXTURE), ("teardown", PASSED, None)], Outcome.ERROR),
        ([("setup", PASSED, None), ("call", PASSED, None), ("teardown", FAILED, ErrorKind.FIXTURE)], Outcome.ERROR),
        ([("setup", FAILED, ErrorKind.PROCESS_CRASH)], Outcome.FAILED),
        ([("setup", SKIPPED, None), ("teardown", PASSED, None)], Outcome.SKIPPED),
        ([("setup", PASSED, None), ("xfail", SKIPPED, None), ("teardown", PASSED, None)], Outcome.EXPECTED_FAILURE),
        ([("setup", PASSED, None)], Outcome.TIMED_OUT),
        ([("setup", PASSED, None), ("call", FAILED, ErrorKind.TIMEOUT)], Outcome.TIMED_OUT),
    ],
)
def test_a_pytest_test_has_the_outcome_that_pytest_gives_it(
    tmp_path: Path, rows: list[Row], outcome: Outcome
) -> None:
    """The last one was cut short, so it ended as its run did."""
    written = [("test_a", f"pytest.{phase}", status, kind) for phase, status, kind in rows]
    (test,) = suite_report(tmp_path, RunStatus.TIMED_OUT, written).tests
    assert (test.name, test.suite, test.outcome) == ("test_a", "test_cart.py", outcome)


def test_a_run_of_several_tests_is_several_tests_in_its_report(tmp_path: Path) -> None:
    """Each with its own steps and outcome."""
    phases = [("pytest.setup", PASSED, None), ("pytest.call", PASSED, None), ("pytest.teardown", PASSED, None)]
    failed = [phases[0], ("pytest.call", FAILED, ErrorKind.ASSERTION), phases[2]]
    rows = [("test_a", *row) for row in phases] + [("TestB::test_b", *row) for row in failed]
    report = suite_report(tmp_path, RunStatus.FAILED, rows)
    assert {test.name: test.tags for test in report.tests} == {"test_a": (), "TestB > test_b": ("smoke",)}
    assert [(test.name, test.outcome, len(test.attempts[0].steps)) for test in report.tests] == [
        ("test_a", Outcome.PASSED, 3),
        ("TestB > test_b", Outcome.FAILED, 3),
    ]


def test_a_run_of_a_suite_that_was_cancelled_before_it_began_names_what_it_would_have_run(tmp_path: Path) -> None:
    """There are no rows of it yet."""
    (test,) = suite_report(tmp_path, RunStatus.CANCELLED, []).tests
    assert (test.name, test.outcome) == ("test_cart.py", Outcome.CANCELLED)
