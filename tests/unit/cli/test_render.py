"""How runs look in a terminal and as JSON."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from qa_queue.cli.render import (
    MAX_COMMANDS,
    Console,
    counts_text,
    print_next_commands,
    report_json,
    runs_table,
    seconds,
    steps_table,
    wrapped,
)
from qa_queue.models import ArtifactKind, ErrorKind, RunStatus, StepStatus
from qa_queue.models.outcomes import Outcome, passed_over_text
from qa_queue.services.runs import RunReport
from qa_queue.store.artifacts import ArtifactFiles
from qa_queue.store.records import ArtifactRecord, RunRecord, StepRecord

NOW = datetime(2026, 1, 8, 13, 30, 4, tzinfo=UTC)


def make_run(**changes: Any) -> RunRecord:
    values: dict[str, Any] = {
        "id": "r1",
        "test_case_id": "c1",
        "status": RunStatus.COMPLETED,
        "total_steps": 3,
        "completed_steps": 3,
        "queued_at": NOW,
        "running_ms": 421,
    }
    return RunRecord(**(values | changes))


def make_artifact() -> ArtifactRecord:
    return ArtifactRecord(
        id="a1",
        test_run_id="r1",
        attempt=1,
        kind=ArtifactKind.TRACE,
        name="trace.zip",
        path="r1/1/trace.zip",
        content_type="application/zip",
        size_bytes=1,
        sha256="0" * 64,
        created_at=NOW,
    )


def make_step(**changes: Any) -> StepRecord:
    values: dict[str, Any] = {
        "id": "s1",
        "test_run_id": "r1",
        "attempt": 1,
        "number": 1,
        "step_key": "1:click",
        "action": "click",
        "name": "click button 'Buy'",
        "status": StepStatus.PASSED,
        "started_at": NOW,
        "duration_ms": 12,
    }
    return StepRecord(**(values | changes))


def shown(renderable: object) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("ms", "text"), [(None, ""), (0, "0.00 s"), (421, "0.42 s"), (61_300, "61.3 s")])
def test_durations_read_in_seconds(ms: int | None, text: str) -> None:
    assert seconds(ms) == text


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"status": RunStatus.COMPLETED}, "passed"),
        ({"status": RunStatus.COMPLETED, "flaky": True}, "flaky"),
        ({"status": RunStatus.ADAPTED}, "adapted"),
        ({"status": RunStatus.COMPLETED, "error": passed_over_text(Outcome.SKIPPED, "later")}, "skipped"),
        ({"status": RunStatus.COMPLETED, "error": passed_over_text(Outcome.SKIPPED, None)}, "skipped"),
        (
            {"status": RunStatus.COMPLETED, "error": passed_over_text(Outcome.EXPECTED_FAILURE, "a: b")},
            "expected failure",
        ),
        ({"status": RunStatus.COMPLETED, "error": "1 of 2 tests did not run; test_it: skipped: later"}, "passed"),
        ({"status": RunStatus.FAILED, "error": "skipped: not really", "flaky": True}, "failed"),
        ({"status": RunStatus.TIMED_OUT}, "timed out"),
        ({"status": RunStatus.DEAD}, "dead"),
    ],
)
def test_people_read_a_label_where_the_row_has_a_status(fields: dict[str, Any], label: str) -> None:
    assert make_run(**fields).label == label


def test_the_last_line_counts_the_runs_by_label() -> None:
    skipped, expected = (
        make_run(status=RunStatus.COMPLETED, error=text) for text in ("skipped", "expected failure")
    )
    runs = [make_run(status=RunStatus.FAILED), skipped, *[expected] * 2, *[make_run()] * 3]
    assert counts_text(runs) == "3 passed, 2 expected failures, 1 skipped, 1 failed"


def test_a_failed_run_shows_the_first_line_of_its_error_and_a_command_for_it() -> None:
    run = make_run(status=RunStatus.FAILED, completed_steps=2, error="button missing\ncall log")
    report = RunReport(case_name="Buy", run=run, artifacts=(make_artifact(),), files=ArtifactFiles(Path("e")))
    text = shown(runs_table([report]))
    assert "button missing" in text
    assert "call log" not in text
    assert "2/3" in text
    out = Console(record=True, width=80, file=io.StringIO())
    print_next_commands([report, RunReport(case_name="Good", run=make_run(status=RunStatus.COMPLETED))], out)
    assert out.export_text() == f"Buy: qa-queue trace {run.id[:8]}\n"
    many = [report] * (MAX_COMMANDS + 2)
    print_next_commands(many, out)
    assert out.export_text().endswith("and 2 more failed runs: qa-queue runs\n")


def test_a_cancelled_run_shows_no_reason_that_repeats_its_status() -> None:
    run = make_run(status=RunStatus.CANCELLED, error="the run was cancelled")
    assert "the run was" not in shown(runs_table([RunReport(case_name="Buy", run=run)]))
    other = make_run(status=RunStatus.CANCELLED, error="cancelled after 1 failure (--max-failures)")
    assert "--max-failures" in shown(runs_table([RunReport(case_name="Buy", run=other)]))


def test_text_from_cases_is_never_read_as_markup() -> None:
    run = make_run(error="[red]x[/] [/nothing]")
    assert "[/nothing]" in shown(runs_table([RunReport(case_name="[bold]B[/]", run=run)]))


def test_steps_show_attempts_only_when_there_are_several() -> None:
    assert "Attempt" not in shown(steps_table([make_step()]))
    text = shown(steps_table([make_step(status=StepStatus.FAILED, error="no [x]"), make_step(attempt=2)]))
    assert "Attempt" in text
    assert "no [x]" in text


def test_a_step_that_failed_shows_its_place_in_the_file() -> None:
    """One that passed has nothing to look up."""
    at = "checkout.yaml:14"
    assert at in shown(steps_table([make_step(status=StepStatus.FAILED, error="no", source=at)]))
    assert at in shown(steps_table([make_step(notes=("a dialog",), source=at)]))
    assert at not in shown(steps_table([make_step(source=at)]))


def test_a_step_that_a_cancelled_run_cut_short_has_not_failed() -> None:
    """Its row says so by the kind of its error."""
    text = shown(steps_table([make_step(status=StepStatus.FAILED, error_kind=ErrorKind.CANCELLED)]))
    assert ("cancelled" in text, "failed" in text) == (True, False)


def test_a_report_as_json_has_what_a_program_needs() -> None:
    run = make_run(status=RunStatus.FAILED, error="e", error_kind=ErrorKind.ASSERTION)
    report = RunReport(case_name="Buy", run=run, artifacts=(make_artifact(),), files=ArtifactFiles(Path("e")))
    data = json.loads(json.dumps(report_json(report)))
    assert data["status"] == "failed"
    assert data["error_kind"] == "assertion"
    assert data["artifacts"] == ["e/r1/1/trace.zip"]


def test_lines_do_not_end_inside_a_path_or_a_command() -> None:
    """They work when pasted."""
    path = "/home/somebody/a-folder-with-a-long-name/cases/checkout-of-the-shop.yaml"
    text = f"{path}:4: steps[0]: unknown key 'tiemout'; see `qa-queue schema` or start `rq worker -w x.Y queue`."
    lines = wrapped(text, 80).split("\n")
    assert lines == [
        f"{path}:4:",
        "steps[0]: unknown key 'tiemout'; see `qa-queue schema` or start",
        "`rq worker -w x.Y queue`.",
    ]
    assert " ".join(lines) == text


def test_short_lines_stay_as_they_are() -> None:
    text = "one\n  two  words\n\n" + "x" * 100
    assert wrapped(text, 80) == text
