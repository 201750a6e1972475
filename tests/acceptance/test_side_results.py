"""Results of runs beside pass and fail: unanswered dialogs, losses of an import, and baselines of screenshots."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from examples.reference import serve
from qa_queue.store.supabase import SupabaseStore
from tests.support.program import Program

DIALOG = (
    "confirm 'Delete Ann?' appeared and was dismissed, because no step answers it: put `dialog: accept` before "
    "this step, or `dialogs: accept` in the case, to accept it"
)
LOSS = "step 3 (customStep): not carried over: it is a custom step (measure)"


@pytest.fixture(scope="module")
def workbench() -> Iterator[str]:
    with serve() as url:
        yield url


def recording(program: Program, url: str) -> Path:
    """A recording of a click that asks for a confirmation, and of a step of an extension."""
    steps = [
        {"type": "navigate", "url": f"{url}/dialogs"},
        {"type": "click", "selectors": ["aria/Delete"], "offsetX": 5, "offsetY": 5},
        {"type": "customStep", "name": "measure"},
    ]
    lines = ",\n".join(json.dumps(step) for step in steps)
    file = program.folder / "recorded.json"
    file.write_text(f'{{"title": "Delete Ann",\n"steps": [\n{lines}]}}', encoding="utf-8")
    return file


def words(text: str) -> str:
    """The text without the line breaks of a terminal."""
    return " ".join(text.split())


@pytest.mark.usefixtures("worker")
def test_dialogs_and_losses_are_stated_wherever_a_run_is_shown(
    program: Program, store: SupabaseStore, workbench: str
) -> None:
    """The run passes, and must not pass silently."""
    file = recording(program, workbench)
    followed = program("run", file, "--wait")
    assert followed.code == 0, followed.err
    assert DIALOG in words(followed.out)
    assert LOSS in words(followed.out)
    ended = program("run", file, "--wait", "--json").json["runs"][0]
    run = store.get_run(ended["run_id"])
    assert run is not None
    assert list(run.notes) == ended["notes"]
    lost, dialog = run.notes
    assert lost == LOSS
    assert dialog.startswith("step 2 (")
    assert dialog.endswith(f"recorded.json:4): {DIALOG}")
    shown = words(program("show", run.id).out)
    assert DIALOG in shown
    assert LOSS in shown
    page = program.folder / "report.html"
    assert program("report", run.id, "--html", "--output", page).code == 0
    written = page.read_text(encoding="utf-8")
    assert "confirm 'Delete Ann?' appeared and was dismissed" in written.replace("\\u0027", "'")
    assert LOSS in written


def test_losses_are_refused_where_people_ask_for_it(program: Program, redis_db: Redis, workbench: str) -> None:
    """Nothing is enqueued, and `check` says what would be lost."""
    file, before = recording(program, workbench), sorted(redis_db.keys("*"))
    refused = program("run", file, "--strict-import")
    assert refused.code == 2
    assert LOSS in words(refused.err)
    assert program("check", file, "--json").json["cases"][0]["notes"] == [LOSS]
    assert sorted(redis_db.keys("*")) == before


SCREENSHOT = """version: 1
name: How the list looks
steps:
- goto: /list
- expect: {page: {screenshot: list}}
  timeout: 3s
"""


@pytest.mark.usefixtures("worker")
def test_baselines_are_written_renewed_and_compared(program: Program, workbench: str) -> None:
    """`--update-screenshots` writes one that is missing, and renews one that differs; otherwise it is compared."""
    file = program.folder / "looks.yaml"
    file.write_text(SCREENSHOT, encoding="utf-8")

    def run(*options: str) -> tuple[int, str]:
        ended = program("run", file, "--base-url", workbench, "--wait", *options)
        return ended.code, words(ended.out)

    code, text = run("--update-screenshots")
    baseline = program.folder / "looks.yaml-screenshots" / "list-chromium-linux.png"
    first = baseline.read_bytes()
    assert (code, first[:4]) == (0, b"\x89PNG")
    assert "the baseline list-chromium-linux.png was written" in text
    assert run()[0] == 0
    file.write_text(SCREENSHOT.replace("/list", "/form"), encoding="utf-8")
    code, text = run()
    assert code == 1
    assert "pixels differ" in text
    assert baseline.read_bytes() == first
    code, text = run("--update-screenshots")
    assert code == 0
    assert "the baseline list-chromium-linux.png was renewed" in text
    assert baseline.read_bytes() != first
    assert run()[0] == 0


def test_baselines_are_renewed_with_wait_alone(program: Program) -> None:
    """They come back when the runs have ended."""
    file = program.folder / "looks.yaml"
    file.write_text(SCREENSHOT, encoding="utf-8")
    refused = program("run", file, "--update-screenshots")
    assert refused.code == 2
    assert "--update-screenshots goes with --wait" in refused.err
