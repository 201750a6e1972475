"""Schedules on the command line, with a real scheduler, a real worker and a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from qa_queue.store.supabase import SupabaseStore
from tests.support.poll import wait_until
from tests.support.program import Program
from tests.support.schedulers import SchedulerProcess, runs_of
from tests.support.workers import WorkerProcess

LOGIN = Path(__file__).resolve().parents[2] / "examples" / "shop" / "cases" / "login.yaml"


@pytest.fixture
def scheduler(program: Program, tmp_path: Path) -> Iterator[SchedulerProcess]:
    with SchedulerProcess(tmp_path / "scheduler.log", **program.settings) as process:
        yield process


@pytest.fixture
def case_name(program: Program, shop: str) -> str:
    """A case that is stored, by a run of it that never starts."""
    (run,) = program("run", LOGIN, "--base-url", shop, "--delay", "86400000", "--json").json["runs"]
    program("cancel", run["run_id"])
    return str(run["case"])


@pytest.fixture
def name(store: SupabaseStore) -> Iterator[str]:
    """The name of a schedule, which is removed afterwards."""
    wanted = f"nightly {uuid4()}"
    yield wanted
    if found := store.schedules.find(wanted):
        store.schedules.remove(found.id)


def test_a_schedule_runs_a_case_in_a_browser_and_shows_its_outcome(
    program: Program, store: SupabaseStore, worker: WorkerProcess, scheduler: SchedulerProcess, shop: str,
    case_name: str, name: str,
) -> None:  # fmt: skip
    """Twice, a second apart, and then it ends."""
    timing = ("--every", "1s", "--max-runs", "2", "--overlap", "allow")
    made = program("schedule", "add", name, "--case", case_name, "--base-url", shop, *timing, "--json")
    assert made.code == 0, made.err
    schedule = store.schedules.get(made.json["id"])
    assert schedule is not None

    def passed() -> bool:
        return [run.status.value for run in runs_of(store, schedule)] == ["completed"] * 2

    wait_until(passed, 90, "two runs that passed")
    shown = program("schedule", "show", name, "--json").json
    assert (shown["fired"], shown["last_outcome"], shown["next_run_at"]) == (2, "passed", None)
    assert "passed" in program("schedule", "list").out


def test_a_schedule_is_edited_paused_resumed_and_removed(program: Program, case_name: str, name: str) -> None:
    """Each command prints the schedule after the change."""
    assert program("schedule", "add", name, "--case", case_name, "--cron", "@daily").code == 0
    edited = program("schedule", "edit", name, "--cron", "none", "--every", "90m", "--max-runs", "7", "--json").json
    assert (edited["cron"], edited["every"], edited["max_runs"]) == (None, "1h30m", 7)
    assert program("schedule", "edit", name, "--max-runs", "none", "--json").json["max_runs"] is None
    assert program("schedule", "pause", name, "--json").json["next_run_at"] is None
    assert "paused" in program("schedule", "list").out
    assert program("schedule", "resume", name, "--json").json["paused"] is False
    assert len(program("schedule", "preview", name, "--count", "3", "--json").json["times"]) == 3
    started = program("schedule", "run", name)
    assert program("runs", "--json").json["runs"][0]["id"] in started.out
    assert "is removed" in program("schedule", "remove", name).out
    assert program("schedule", "show", name).code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tag", "x", "--cron", "0 25 * * *"), "'25' cannot be the hour (field 2). Allowed are 0 to 23"),
        (("--tag", "x", "--cron", "@daily", "--zone", "Berlin"), "Did you mean Europe/Berlin?"),
        (("--tag", "x", "--every", "5 min"), "write days, hours, minutes and seconds"),
        (("--tag", "x"), "give either cron or every"),
        (("--case", "No such case", "--cron", "@daily"), "there is no case 'No such case'"),
        (("--queue", "cleanup", "--data", "{", "--cron", "@daily"), "--data is not JSON"),
        (("--queue", "cleanupp", "--cron", "@daily"), "Did you mean cleanup?"),
        (("--tag", "x", "--cron", "@daily", "--start", "soon"), "'soon' is not a moment"),
        (("--tag", "x", "--cron", "@daily", "--env", "QA_SECRET_X=1"), "QA_SECRET_X is a secret"),
    ],
)
def test_bad_input_is_explained(program: Program, arguments: tuple[str, ...], said: str) -> None:
    """With exit code 2, and nothing is stored."""
    ended = program("schedule", "add", "never", *arguments)
    assert ended.code == 2, ended.err
    assert said in " ".join(ended.err.split())


def test_times_are_shown_without_a_service(program: Program) -> None:
    """As to try an expression."""
    away = {"REDIS_URL": "redis://127.0.0.1:1/0", "SUPABASE_URL": "http://127.0.0.1:1"}
    times = program("schedule", "preview", "--cron", "0 12 29 2 *", "--count", "2", "--json", **away).json["times"]
    assert [time["local"][4:16] for time in times] == ["-02-29T12:00", "-02-29T12:00"]
    assert "give either a schedule" in program("schedule", "preview").err
