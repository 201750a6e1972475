"""Reports by HTTP: the formats of `qa-queue report`, of a run and of a batch."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from uuid import uuid4

import httpx
import jsonschema
import pytest
from junitparser import JUnitXml

from qa_queue.models import ArtifactKind, ErrorKind, RunStatus, StepStatus
from qa_queue.reports.render import Format, report_schema
from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import RunRecord
from tests.support.records import artifact_record, case_record, finished_run, step_record

ERROR = "expected text 'A', found 'B' in 5000 ms on #x"


@pytest.fixture
def failed(store: MemoryStore, tmp_path: Path) -> RunRecord:
    """A failed run with a picture and a trace, in a batch with one that passed."""
    case, batch = case_record(name="Greeting", source="greeting.yaml"), str(uuid4())
    run = finished_run(
        case, RunStatus.FAILED, batch_id=batch, error=ERROR, error_kind=ErrorKind.ASSERTION, attempt=1
    )
    store.save_cases([case])
    store.save([run, finished_run(case, batch_id=batch), step_record(run, status=StepStatus.FAILED, error=ERROR)])
    files = (("a.png", ArtifactKind.SCREENSHOT, "image/png"), ("trace.zip", ArtifactKind.TRACE, "application/zip"))
    for name, kind, type_ in files:
        path = tmp_path / "artifacts" / run.id / "1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"data")
        store.save([artifact_record(run, name, kind=kind, content_type=type_, path=f"{run.id}/1/{name}")])
    return run


def report(client: httpx.Client, path: str, format_: str | None = None) -> httpx.Response:
    answer = client.get(f"/api/v1/{path}/report", params={"format": format_} if format_ else {})
    assert answer.status_code == 200, answer.text
    return answer


def test_a_report_is_a_page_that_runs_no_other_script(reader: httpx.Client, failed: RunRecord) -> None:
    """HTML is the default; its policy names its one script, and its trace opens in the service's viewer."""
    page = report(reader, f"runs/{failed.id}")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'sha256-" in page.headers["content-security-policy"]
    assert "Greeting: failed" in page.text
    assert f'"link":"/runs/{failed.id}/artifacts/' in page.text
    assert "data:image/png;base64," in page.text


def test_a_batch_in_each_format(reader: httpx.Client, failed: RunRecord, tmp_path: Path) -> None:
    """As the command writes them; none names a folder of the service's machine."""
    path = f"batches/{failed.batch_id}"
    answers = {one: report(reader, path, one.value) for one in Format}
    junit = JUnitXml.fromstring(answers[Format.JUNIT].content)
    assert (junit.tests, junit.failures) == (2, 1)
    document = answers[Format.JSON].json()
    jsonschema.validate(document, report_schema())
    assert document["counts"] == {"passed": 1, "failed": 1}
    assert ERROR in answers[Format.BRIEF].text
    assert answers[Format.GITHUB].text.startswith("### Batch")
    assert all(str(tmp_path) not in answer.text for answer in answers.values())
    archive = zipfile.ZipFile(io.BytesIO(answers[Format.ALLURE].content))
    results = [json.loads(archive.read(name)) for name in archive.namelist() if name.endswith("-result.json")]
    assert sorted(one["status"] for one in results) == ["failed", "passed"]
    assert "attachment" in answers[Format.ALLURE].headers["content-disposition"]


def test_the_pages_serve_reports_too(reader: httpx.Client, failed: RunRecord) -> None:
    """A run and a batch link to theirs, and to the trace."""
    run, batch = reader.get(f"/runs/{failed.id}"), reader.get(f"/batches/{failed.batch_id}")
    for page, link in ((run, f"/runs/{failed.id}/report"), (batch, f"/batches/{failed.batch_id}/report")):
        assert f'href="{link}"' in page.text
        assert "Greeting" in reader.get(link).text
    assert '/trace">Open trace.zip' in run.text


@pytest.mark.parametrize("path", ["runs/{}/report", "batches/{}/report"])
def test_what_does_not_exist_has_no_report(reader: httpx.Client, path: str) -> None:
    assert reader.get(f"/api/v1/{path.format(uuid4())}").status_code == 404


def test_an_unknown_format_is_refused(reader: httpx.Client, failed: RunRecord) -> None:
    """With the formats that there are."""
    answer = reader.get(f"/api/v1/runs/{failed.id}/report", params={"format": "pdf"})
    assert answer.status_code == 422
    assert "junit" in answer.text


def test_only_a_trace_opens_in_the_viewer(reader: httpx.Client, failed: RunRecord, store: MemoryStore) -> None:
    """The viewer gets the address of the file; a picture or an unknown id has no such page."""
    picture, trace = store.list_artifacts([failed.id])
    page = f"/runs/{failed.id}/artifacts/{{}}/trace"
    opened = reader.get(page.format(trace.id))
    assert (opened.status_code, opened.headers["location"]) == (
        303,
        f"/trace-viewer/index.html?trace=/runs/{failed.id}/artifacts/{trace.id}",
    )
    assert reader.get(page.format(picture.id)).status_code == 404
    assert reader.get(page.format(uuid4())).status_code == 404
