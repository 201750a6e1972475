"""What the demo calls a success."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from qa_queue.cases.actions import Goto
from qa_queue.cases.model import Case, Step
from qa_queue.cli.demo import _conclude, unexpected
from qa_queue.cli.render import Console
from qa_queue.models import ArtifactKind, RunStatus
from qa_queue.producer import RunRequest
from qa_queue.services.runs import RunReport
from qa_queue.store.records import ArtifactRecord, RunRecord


def make_request(name: str, *tags: str) -> RunRequest:
    return RunRequest(case=Case(name=name, tags=tags, steps=(Step(args=Goto(url="/")),)))


def make_report(name: str, status: RunStatus) -> RunReport:
    run = RunRecord(id=name, test_case_id=name, status=status, queued_at=datetime(2026, 1, 1, tzinfo=UTC))
    return RunReport(case_name=name, run=run)


def test_a_known_bug_must_be_found_and_everything_else_must_pass() -> None:
    requests = [make_request("a"), make_request("bug", "expected-failure")]
    good = [make_report("a", RunStatus.ADAPTED), make_report("bug", RunStatus.FAILED)]
    assert unexpected(requests, good) == []


def test_a_bug_that_was_not_found_and_a_case_that_failed_are_named() -> None:
    requests = [make_request("a"), make_request("bug", "expected-failure")]
    bad = [make_report("a", RunStatus.FAILED), make_report("bug", RunStatus.COMPLETED)]
    assert unexpected(requests, bad) == ["a", "bug"]


def test_a_dead_run_is_not_a_finding_of_the_known_bug_and_a_missing_report_is_not_a_success() -> None:
    requests = [make_request("a"), make_request("bug", "expected-failure")]
    assert unexpected(requests, [make_report("bug", RunStatus.DEAD)]) == ["a", "bug"]


@pytest.mark.parametrize(
    ("stack_stays", "line"),
    [
        (True, "Look into the failed run with: qa-queue trace 0123abcd"),
        (False, "Start the service again with qa-queue up. Look into the failed run with: qa-queue trace 0123abcd"),
    ],
)
def test_the_last_line_is_a_command_that_opens_the_trace(
    stack_stays: bool, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It works where Playwright's own command is not installed, and in a folder whose service has stopped."""
    failed = make_report("0123abcd-0000-4000-8000-000000000000", RunStatus.FAILED)
    trace = ArtifactRecord(
        id="t",
        test_run_id=failed.run.id,
        attempt=1,
        kind=ArtifactKind.TRACE,
        name="t.zip",
        path="t.zip",
        content_type="application/zip",
        size_bytes=1,
        sha256="0" * 64,
        created_at=failed.run.queued_at,
    )
    _conclude((), [replace(failed, artifacts=(trace,))], Console(width=80), stack_stays=stack_stays)
    assert capsys.readouterr().out.splitlines() == ["Every case ended as it should.", line]
