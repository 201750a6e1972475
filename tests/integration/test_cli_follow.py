"""Following runs by command line, on a real Redis and a real Supabase: live, and from the store."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from redis import Redis

from qa_queue.local.process import LocalServer
from qa_queue.models import RunStatus, StepStatus
from qa_queue.progress import ProgressWriter
from qa_queue.services import Backend
from qa_queue.services.runs import SILENCE_S, RunFollower
from qa_queue.settings import load_settings
from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import RunRecord
from qa_queue.store.supabase import SupabaseStore
from tests.support.program import INTERRUPTED_AT, Program
from tests.support.queueing import final, report
from tests.support.records import case_record, finished_run, run_record, step_record

WIDE = {"COLUMNS": "120"}


@pytest.fixture
def store(supabase: LocalServer) -> Iterator[SupabaseStore]:
    opened = SupabaseStore(supabase.url, supabase.key or "")
    yield opened
    opened.close()


def stored_run(store: SupabaseStore, status: RunStatus, **fields: int) -> RunRecord:
    """A run that has ended, and of which Redis has no reports."""
    case = case_record()
    run = finished_run(case, status, **fields)
    store.save_cases([case])
    store.save([run])
    return run


@pytest.mark.parametrize(
    ("status", "fields", "steps", "code"),
    [
        (RunStatus.ADAPTED, {"completed_steps": 5, "adapted_steps": 1}, "5/5", 0),
        (RunStatus.FAILED, {"completed_steps": 4, "adapted_steps": 4, "failed_steps": 1}, "5/5", 1),
    ],
)
def test_the_live_line_and_the_table_count_an_adapted_step_once(
    program: Program, store: SupabaseStore, status: RunStatus, fields: dict[str, int], steps: str, code: int
) -> None:
    """Also where the reports are gone and the rows alone say how the run ended."""
    run = stored_run(store, status, total_steps=5, **fields)
    ended = program("watch", run.id, **WIDE)
    assert ended.code == code
    live, table = (line for line in ended.out.splitlines() if status.value in line)
    assert f"{steps} steps" in live
    assert f" {steps} " in table
    (told,) = map(json.loads, program("watch", run.id, "--json").out.splitlines())
    assert f"{told['current_step']}/{told['total_steps']}" == steps


def test_the_live_line_and_the_table_agree_on_a_run_with_a_skipped_optional_step(
    program: Program, store: SupabaseStore, redis_db: Redis
) -> None:
    """The worker's last report counts it, and so does the table, from the rows of the steps."""
    run = stored_run(store, RunStatus.FAILED, total_steps=4, completed_steps=2, failed_steps=1)
    skipped = step_record(run, 2, status=StepStatus.SKIPPED, error="no banner")
    failed = step_record(run, 4, status=StepStatus.FAILED, error="no button")
    store.save([step_record(run, 1), skipped, step_record(run, 3), failed])
    ProgressWriter(redis_db).write(run.id, final(run.id, RunStatus.FAILED))
    out = program("watch", run.id, **WIDE).out
    assert [line for line in out.splitlines() if "failed" in line and "4/4" in line] != []
    assert "3/4" not in out


def test_a_run_whose_last_report_was_lost_ends_for_its_followers(redis_db: Redis, redis_url: str) -> None:
    """The store is asked at once for runs without reports, and after some seconds of silence for the others."""
    store = MemoryStore()
    case = case_record()
    silent, heard = finished_run(case, RunStatus.DEAD), run_record(case, status=RunStatus.RUNNING)
    store.save([case, silent, heard])
    ProgressWriter(redis_db).write(heard.id, report(heard.id, 1))
    backend = Backend(load_settings(redis_url=redis_url), store)
    follower = RunFollower(backend, {silent.id: "0", heard.id: "0"})
    assert {event.progress.test_run_id for event in follower.read()} == {heard.id}
    store.update_run(heard.id, status=RunStatus.FAILED)
    events = list(follower.follow(timeout=4 * SILENCE_S))
    assert {event.progress.test_run_id: event.progress.status for event in events} == {
        silent.id: RunStatus.DEAD,
        heard.id: RunStatus.FAILED,
    }
    assert {event.id for event in events} == {""}
    assert not follower.waiting
    just_submitted = RunFollower(backend, {silent.id: "0"}, new=True)
    assert list(just_submitted.read()) == []
    backend.close()


def test_a_run_that_waits_is_shown_with_the_commands_that_say_when_it_starts(
    program: Program, store: SupabaseStore
) -> None:
    """Without an empty table of steps; each command works when it is pasted."""
    case = case_record()
    run = run_record(case, status=RunStatus.QUEUED)
    store.save_cases([case])
    store.save([run])
    shown = program("show", run.id).out
    assert f"Its place in the queue: qa-queue place {run.id[:8]}\n" in shown
    assert f"Follow it: qa-queue watch {run.id[:8]}\n" in shown
    assert "Step  " not in shown


def test_an_interrupt_between_the_submission_and_the_following_cancels_the_runs(
    program: Program, store: SupabaseStore
) -> None:
    """At whatever moment it comes, no run is left to a worker."""
    for name in ("a", "b"):
        (program.folder / f"{name}.yaml").write_text(f"version: 1\nname: {name}\nsteps:\n- goto: /\n")
    earlier = {run.id for run in store.list_runs(limit=100)}
    follow = "qa_queue.cli.follow"  # imported just after the submission
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT, follow, f"{signal.SIGTERM:d}", "run", "a.yaml", "b.yaml", "--wait"],
        cwd=program.folder,
        env=program.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 130, ended.stderr
    statuses = [run.status for run in store.list_runs(limit=100) if run.id not in earlier]
    assert statuses == [RunStatus.CANCELLED] * 2
