"""Two workers with folders of their own, and one artifact store: everything is visible, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.conftest import SupabaseStore
from tests.support.poll import wait_until
from tests.support.program import Program
from tests.support.pytest_arguments import without_plugins
from tests.support.workers import WorkerProcess

CASE = """\
version: 1
name: Fails with a picture
steps:
- goto: about:blank
- expect: {title: Welcome}
  timeout: 50
"""


def start(program: Program, home: Path, share: Path) -> WorkerProcess:
    settings = {
        **program.settings,
        "QA_RUNTIME": "processors.entry:Runtime",
        "QA_HOME": str(home),
        "QA_ARTIFACTS": share.as_uri(),
    }
    return WorkerProcess(home.with_suffix(".log"), **settings)


def test_every_machine_sees_the_evidence_of_all(program: Program, store: SupabaseStore, tmp_path: Path) -> None:
    """One worker is killed while the store is unavailable; the next one with its folder uploads what it left."""
    share, unmounted = tmp_path / "share", tmp_path / "unmounted"
    unmounted.mkdir()
    (program.folder / "fails.yaml").write_text(CASE)
    with start(program, tmp_path / "first", share) as first:
        first.says("serves test-execution")
        first_run = program("run", "fails.yaml", "--wait", "--json").json["runs"][0]["run_id"]
        first.says("Artifacts wait on this machine")
        first.kill()
    left = list((tmp_path / "first" / "artifacts").rglob("*.png"))
    assert left
    unmounted.rename(share)
    with start(program, tmp_path / "first", share) as again, start(program, tmp_path / "second", share) as second:
        wait_until(lambda: not left[0].exists(), 60, "the upload")
        again.kill()
        second.says("serves test-execution")
        second_run = program("run", "fails.yaml", "--wait", "--json").json["runs"][0]["run_id"]
        wait_until(lambda: list((share / second_run).rglob("*.png")), 60, "the upload of the second worker")
    program.settings["QA_ARTIFACTS"] = share.as_uri()
    for run_id in (first_run, second_run):
        rows = store.list_artifacts([run_id])
        assert "screenshot" in {row.kind for row in rows}
        saved = program("artifacts", run_id, "--save", str(tmp_path / run_id))
        assert saved.code == 0, saved.err
        assert len(list((tmp_path / run_id).rglob("*.*"))) == len(rows)
        assert program("report", run_id, "--json", "-o", str(tmp_path / "report.json")).code == 0
        assert str(tmp_path / "home" / "artifact-cache") in (tmp_path / "report.json").read_text()


def test_a_suite_travels_to_a_worker_that_does_not_have_its_files(program: Program, tmp_path: Path) -> None:
    """The folder is gone when the worker takes the tests; a module that it lacks is named."""
    share, suite = tmp_path / "share", tmp_path / "suite"
    for folder in (share, suite):
        folder.mkdir()
    (suite / "helpers.py").write_text("ANSWER = 42\n")
    (suite / "test_travels.py").write_text("import helpers\ndef test_answer(): assert helpers.ANSWER == 42\n")
    (suite / "test_lacks.py").write_text("def test_lacks(): import module_that_only_the_author_has\n")
    submitter = Program(suite, program.settings | {"QA_ARTIFACTS": share.as_uri()})
    runs = submitter("run", ".", "--json", "--", *without_plugins()).json["runs"]
    suite.rename(tmp_path / "elsewhere")
    with start(program, tmp_path / "first", share) as worker:
        worker.says("serves test-execution")
        ended = {run["case"]: program("watch", run["run_id"], "--json") for run in runs}
    assert {name: one.code for name, one in ended.items()} == {
        "test_travels.py::test_answer": 0,
        "test_lacks.py::test_lacks": 1,
    }
    assert "module_that_only_the_author_has" in ended["test_lacks.py::test_lacks"].out
