"""Names and errors that hold control characters, on a real terminal."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator

import pytest

from qa_queue.local.process import LocalServer
from qa_queue.models import RunStatus, StepStatus
from qa_queue.store.supabase import SupabaseStore
from tests.support.program import PROGRAM, Program
from tests.support.records import case_record, finished_run, step_record

TITLE = "\x1b]0;owned\x07"
CLEAR = "\x1b[2J"
C1 = "\x9b2J"
EVIL = f"{TITLE}Sign{CLEAR} in{C1}"


@pytest.fixture
def run_id(supabase: LocalServer) -> Iterator[str]:
    """A failed run of a case with such a name, such a step and such an error."""
    store = SupabaseStore(supabase.url, supabase.key or "")
    (case,) = store.save_cases([case_record(name=EVIL)])
    run = finished_run(case, RunStatus.FAILED, error=f"no button {EVIL}")
    store.save([run, step_record(run, name=EVIL, status=StepStatus.FAILED, error=EVIL)])
    yield run.id
    store.close()


def on_terminal(program: Program, *arguments: str) -> str:
    """All that a command writes to a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, *arguments], cwd=program.folder, env=program.environment(), stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        written = b""
        try:
            while block := os.read(ours, 65536):
                written += block
        except OSError:  # Linux ends the reading side of a terminal so
            pass
        process.wait(60)
    os.close(ours)
    return written.decode()


@pytest.mark.parametrize("command", ["runs", "show", "watch", "report"])
def test_a_terminal_gets_to_see_them_and_does_not_obey(program: Program, run_id: str, command: str) -> None:
    """Commands that list, show, follow and report a run."""
    arguments = {"runs": ("--limit", "1000"), "report": (run_id, "--brief")}.get(command, (run_id,))
    written = on_terminal(program, command, *arguments)
    for raw in (TITLE, CLEAR, C1):
        assert raw not in written
    assert r"\x1b" in written
