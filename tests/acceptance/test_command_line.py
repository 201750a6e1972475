"""The main job by command line: a case goes in, a real worker runs it, and rows and evidence stand at the end."""

from __future__ import annotations

import signal
import zipfile
from pathlib import Path

import pytest

from qa_queue.models import RunStatus
from qa_queue.store.supabase import SupabaseStore
from tests.support.poll import wait_until
from tests.support.program import Program
from tests.support.workers import WorkerProcess

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "examples" / "shop" / "cases"
ENDLESS = (
    "version: 1\nname: Endless\ntimeout: 120s\nsteps:\n- goto: /\n- wait_for: {target: '#never'}\n  timeout: 100s\n"
)


@pytest.mark.usefixtures("worker")
def test_good_and_failing_cases_end_with_their_steps_in_order_and_evidence(
    program: Program, store: SupabaseStore, shop: str
) -> None:
    ended = program("run", CASES / "login.yaml", CASES / "voucher.yaml", "--base-url", shop, "--wait", "--json")
    assert ended.code == 1
    login, voucher = ended.json["runs"]
    assert (login["status"], voucher["status"]) == ("completed", "failed")
    for report in (login, voucher):
        steps = store.list_steps([report["run_id"]])
        assert [step.number for step in steps] == list(range(1, report["total_steps"] + 1))
        assert all(step.duration_ms > 0 for step in steps if step.status != "skipped")
        run = store.get_run(report["run_id"])
        assert run is not None
        assert None not in (run.waiting_ms, run.starting_ms, run.running_ms, run.worker)
    assert "€22.50" in voucher["error"]
    kinds = {artifact.kind.value for artifact in store.list_artifacts([voucher["run_id"]])}
    assert {"screenshot", "trace"} <= kinds
    files = [program.folder / path for path in voucher["artifacts"]]
    assert all(file.stat().st_size > 0 for file in files)
    (trace,) = [file for file in files if file.name == "trace.zip"]
    assert any(name.endswith("trace.trace") for name in zipfile.ZipFile(trace).namelist())


@pytest.mark.usefixtures("worker")
def test_a_passing_run_ends_with_0_and_can_be_watched_and_shown_afterwards(program: Program, shop: str) -> None:
    ended = program("run", CASES / "search.yaml", "--base-url", shop, "--wait")
    assert ended.code == 0, ended.err
    assert "passed" in ended.out
    run_id = program("runs", "--json", "--limit", "1").json["runs"][0]["id"]
    watched = program("watch", run_id)
    assert watched.code == 0
    assert "passed" in watched.out
    assert "click" in program("show", run_id).out


@pytest.mark.usefixtures("worker")
def test_a_recording_runs_as_it_is(program: Program, shop: str) -> None:
    ended = program("run", CASES / "recorded-order.json", "--base-url", shop, "--wait", "--json")
    assert ended.code == 0, ended.err
    (report,) = ended.json["runs"]
    assert report["completed_steps"] == report["total_steps"] > 0


def test_without_a_worker_the_follower_says_how_to_start_one_and_times_out_with_4(
    program: Program, shop: str
) -> None:
    ended = program("run", CASES / "login.yaml", "--base-url", shop, "--wait", "--timeout", "1")
    assert ended.code == 4
    assert "no worker listens on test-execution" in ended.err
    run_id = program("runs", "--json", "--limit", "1").json["runs"][0]["id"]
    assert f"qa-queue watch {run_id[:8]} continues" in ended.out


def idle_counts(program: Program) -> tuple[int, int] | None:
    """Return the numbers of completed and failed jobs, once none waits or runs."""
    stats = program("stats", "test-execution", "--json").json["queues"]["test-execution"]
    return None if stats["waiting"] or stats["processing"] else (stats["completed"], stats["failed"])


def test_a_site_that_is_down_fails_the_run_and_not_the_job(program: Program, worker: WorkerProcess) -> None:
    file = program.folder / "down.yaml"
    file.write_text("version: 1\nname: Down\nsteps:\n- goto: http://127.0.0.1:9/\n")
    before = wait_until(lambda: idle_counts(program), timeout=60, what="the end of every earlier job")
    ended = program("run", file, "--wait", "--json")
    assert ended.code == 1
    assert ended.json["runs"][0]["error_kind"] == "navigation"
    assert "http://127.0.0.1:9/" in ended.json["runs"][0]["error"]
    after = wait_until(lambda: idle_counts(program), timeout=60, what="the end of the job")
    assert after == (before[0] + 1, before[1])


def test_a_run_over_its_time_ends_timed_out_with_4(program: Program, worker: WorkerProcess, shop: str) -> None:
    file = program.folder / "slow.yaml"
    file.write_text(ENDLESS.replace("timeout: 120s", "timeout: 2s"))
    ended = program("run", file, "--base-url", shop, "--wait", "--json")
    assert ended.code == 4
    assert ended.json["runs"][0]["status"] == "timed_out"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_follower_cancels_its_runs_and_ends_with_130(
    program: Program, worker: WorkerProcess, store: SupabaseStore, shop: str, number: signal.Signals
) -> None:
    files = [program.folder / f"endless-{at}.yaml" for at in range(3)]
    for file in files:
        file.write_text(ENDLESS)
    earlier = {run.id for run in store.list_runs(limit=100)}

    def statuses() -> list[RunStatus]:
        return [run.status for run in store.list_runs(limit=100) if run.id not in earlier]

    process = program.start("run", *files, "--base-url", shop, "--wait", "--json")
    try:
        wait_until(lambda: RunStatus.RUNNING in statuses(), timeout=60)
        process.send_signal(number)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.communicate()
    wait_until(lambda: statuses() == [RunStatus.CANCELLED] * len(files), timeout=60)


def test_a_cancelled_waiting_run_never_starts(program: Program, store: SupabaseStore, shop: str) -> None:
    run_id = program("run", CASES / "login.yaml", "--base-url", shop, "--json").json["runs"][0]["run_id"]
    assert "before it started" in program("cancel", run_id).out
    run = store.get_run(run_id)
    assert run is not None
    assert run.status is RunStatus.CANCELLED
    assert program("stats", "--json").json["queues"]["test-execution"]["waiting"] == 0
