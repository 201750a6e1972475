"""The read model, built from rows and files."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import jsonschema
import pytest

from qa_queue.errors import NotFoundError
from qa_queue.models import ArtifactKind, ErrorKind, RunStatus, StepStatus
from qa_queue.reports.collect import compared, report_of_batch, report_of_run
from qa_queue.reports.model import CheckComparison, Outcome
from qa_queue.reports.render import json_report, report_schema
from qa_queue.store.memory import MemoryStore
from tests.support.records import NOON, adaptation_row, artifact_record, case_record, finished_run, step_record


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
            step_record(run, 2, 2, status=StepStatus.FAILED, error=failed),
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
    (test,) = report_of_run(store, tmp_path, run.id, NOON).tests
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


def test_a_batch_keeps_the_order_of_its_runs_and_knows_flaky_ones(tmp_path: Path) -> None:
    """With the totals of all, beyond one page of rows."""
    store, case, batch = MemoryStore(), case_record(), str(uuid4())
    runs = [finished_run(case, batch_id=batch, flaky=number == 3) for number in range(130)]
    store.save_cases([case])
    store.save(runs)
    store.save([step_record(run) for run in runs])
    report = report_of_batch(store, tmp_path, batch, NOON)
    assert report.counts == {"passed": 129, "flaky": 1}
    assert all(len(test.attempts[0].steps) == 1 for test in report.tests)


def test_nothing_of_this_id_is_an_error(tmp_path: Path) -> None:
    """For runs and batches."""
    with pytest.raises(NotFoundError, match="There is no run"):
        report_of_run(MemoryStore(), tmp_path, str(uuid4()), NOON)
    with pytest.raises(NotFoundError, match="No run belongs to batch"):
        report_of_batch(MemoryStore(), tmp_path, str(uuid4()), NOON)


def test_the_json_report_follows_its_schema(tmp_path: Path) -> None:
    """As a program would check it."""
    store, case = MemoryStore(), case_record()
    run = finished_run(case)
    store.save_cases([case])
    store.save([run, step_record(run)])
    document = json.loads(json_report(report_of_run(store, tmp_path, run.id, NOON)))
    jsonschema.validate(document, report_schema())
    assert document["counts"] == {"passed": 1}
    assert document["outcome"] == "passed"


@pytest.mark.parametrize("error", [None, "button 'x' was not found in 5000 ms", "expected nothing of the kind"])
def test_other_messages_have_no_comparison(error: str | None) -> None:
    """Only the message of a check has two sides."""
    assert compared(error) is None
