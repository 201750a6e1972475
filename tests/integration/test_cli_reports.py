"""`qa-queue report` and `qa-queue trace` on a real store."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from junitparser import JUnitXml

from qa_queue.local.process import LocalServer
from qa_queue.models import ArtifactKind, ErrorKind, RunStatus, StepStatus
from qa_queue.store.records import RunRecord
from qa_queue.store.supabase import SupabaseStore
from tests.support.program import Program
from tests.support.records import artifact_record, case_record, finished_run, step_record

ERROR = "expected text 'A', found 'B' in 5000 ms on #x"


@pytest.fixture
def store(supabase: LocalServer) -> Iterator[SupabaseStore]:
    opened = SupabaseStore(supabase.url, supabase.key or "")
    yield opened
    opened.close()


@pytest.fixture
def failed(store: SupabaseStore) -> RunRecord:
    """A failed run in a batch with a passed one; its trace is not on this machine."""
    case, batch = case_record(name="Greeting", source="greeting.yaml"), str(uuid4())
    bad = finished_run(
        case, RunStatus.FAILED, batch_id=batch, error=ERROR, error_kind=ErrorKind.ASSERTION, attempt=1, worker="w1"
    )
    trace = {"kind": ArtifactKind.TRACE, "path": f"{bad.id}/1/trace.zip", "content_type": "application/zip"}
    store.save_cases([case])
    store.save(
        [
            bad,
            finished_run(case, batch_id=batch),
            step_record(bad, status=StepStatus.FAILED, error=ERROR),
            artifact_record(bad, "trace.zip", **trace),
        ]
    )
    return bad


def test_a_run_is_written_as_html_by_default(program: Program, failed: RunRecord) -> None:
    """Into the current folder, under the run's short id."""
    written = program("report", failed.id)
    assert written.code == 0, written.err
    page = (program.folder / f"report-{failed.id[:8]}.html").read_text(encoding="utf-8")
    assert "Greeting: failed" in page
    assert "http-equiv" in page


def test_a_batch_in_each_format(program: Program, failed: RunRecord) -> None:
    """JUnit, JSON, brief and GitHub's summary go to the terminal, or to a file; Allure is a folder."""
    batch = failed.batch_id or ""
    junit = JUnitXml.fromstring(program("report", batch, "--junit").out.encode())
    assert (junit.tests, junit.failures) == (2, 1)
    document = program("report", batch, "--json").json
    assert document["counts"] == {"passed": 1, "failed": 1}
    assert ERROR in program("report", batch, "--brief").out
    github = program("report", batch, "--github")
    assert github.out.startswith("### Batch")
    assert github.err.startswith("::error title=Greeting::")
    assert program("report", batch, "--junit", "-o", "out/junit.xml").code == 0
    assert JUnitXml.fromfile(str(program.folder / "out" / "junit.xml")).tests == 2
    assert program("report", batch, "--allure", "-o", "allure").code == 0
    names = {json.loads(path.read_text())["name"] for path in Path(program.folder, "allure").glob("*-result.json")}
    assert names == {"Greeting"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["00000000-0000-0000-0000-000000000000"], "There is no run or batch"),
        (["RUN", "--junit", "--html"], "Choose one format, not --html and --junit"),
        (["RUN", "--junit", "--open"], "--open opens an HTML report"),
        (["RUN", "-o", "/proc/no/report.html"], "/proc/no/report.html cannot be written"),
    ],
)
def test_what_cannot_be_reported_is_bad_input(
    program: Program, failed: RunRecord, arguments: list[str], message: str
) -> None:
    """With the reason and what to do; nothing is written."""
    result = program("report", *(failed.id if one == "RUN" else one for one in arguments))
    assert result.code == 2
    assert message in result.err
    assert list(program.folder.glob("report-*")) == []


def test_a_trace_that_is_elsewhere_or_missing_is_explained(program: Program, failed: RunRecord) -> None:
    """The message names the path and the worker, or the option that keeps a trace."""
    elsewhere = program("trace", failed.id)
    assert elsewhere.code == 2
    assert "the worker w1 wrote it" in elsewhere.err
    missing = program("trace", failed.id, "--attempt", "2")
    assert "Attempt 2 of run" in missing.err
    assert "--trace on" in missing.err


def test_the_path_of_a_trace_is_printed_for_other_programs(
    program: Program, store: SupabaseStore, failed: RunRecord
) -> None:
    """Without opening a viewer."""
    where = Path(program.settings["QA_HOME"], "artifacts", failed.id, "1", "trace.zip")
    where.parent.mkdir(parents=True)
    where.write_bytes(b"zip")
    assert program("trace", failed.id, "--path").out.strip() == str(where)


def test_a_trace_is_served_until_the_command_is_interrupted(
    program: Program, store: SupabaseStore, failed: RunRecord
) -> None:
    """The address is printed first, and has the viewer and the trace; an interrupt ends the command well."""
    where = Path(program.settings["QA_HOME"], "artifacts", failed.id, "1", "trace.zip")
    where.parent.mkdir(parents=True)
    where.write_bytes(b"the trace")
    command = program.start("trace", failed.id, "--name", "trace.zip", "--no-open")
    try:
        assert command.stdout is not None
        url = command.stdout.readline().strip()
        assert "Playwright Trace Viewer" in httpx.get(url).text
        assert httpx.get(httpx.URL(url).join("trace.zip")).content == b"the trace"
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=60)
        assert (command.returncode, "Ctrl-C" in err) == (0, True)
    finally:
        command.kill()
        command.wait()
    unknown = program("trace", failed.id, "--name", "other.zip")
    assert (unknown.code, "has no trace 'other.zip'" in unknown.err) == (2, True)
