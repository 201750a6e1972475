"""Bad input and missing parts: a clear message, nothing enqueued, nothing half-written."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from redis import Redis

from qa_queue.local.process import LocalServer
from qa_queue.local.redis import start_redis
from qa_queue.store.supabase import SupabaseStore
from tests.support.program import Ended, Program
from tests.support.workers import WorkerProcess

GOOD = "version: 1\nname: Good\nsteps:\n- goto: http://127.0.0.1:9/\n"


class Watched:
    """The service before a command, to see that it is the same afterwards."""

    def __init__(self, program: Program, redis: Redis, store: SupabaseStore) -> None:
        self.program, self._redis, self._store = program, redis, store
        self._before = self._state()

    def run(self, *args: str | Path, **changes: str) -> Ended:
        """Run the command and assert that neither Redis nor Supabase changed."""
        ended = self.program(*args, **changes)
        assert self._state() == self._before
        assert "Traceback" not in ended.err
        return ended

    def write(self, text: str, name: str = "case.yaml") -> Path:
        file = self.program.folder / name
        file.write_text(text)
        return file

    def _state(self) -> tuple[list[bytes], int, int]:
        runs = self._store.list_runs(limit=1000)
        return sorted(self._redis.keys("*")), len(runs), len(self._store.list_cases())


@pytest.fixture
def watched(program: Program, redis_db: Redis, store: SupabaseStore) -> Watched:
    return Watched(program, redis_db, store)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("- clik: '#go'", "case.yaml:5: steps[1].clik: unknown action 'clik'; did you mean 'click'?"),
        ("- click: {target: {rolle: button}}", "did you mean 'role'?"),
        ("- click: '#go'\n  timeuot: 5s", "did you mean 'timeout'?"),
        ("- fill: {target: '#a', value: '${var.nme}'}", "did you mean 'name'?"),
        ("- fill: {target: '#a', value: '${env.NOT_SET_ANYWHERE}'}", "NOT_SET_ANYWHERE"),
        ("- fill: {target: '#a', value: '${env.REDIS_URL}'}", "is a setting of the service"),
        ("- expect: {target: '#a'}", "case.yaml:5"),
        ("- wait_for: {target: '#a', timeout: 5 parsecs}", "case.yaml:5"),
    ],
)
def test_a_mistake_in_a_case_is_named_with_line_and_nearest_word(watched: Watched, step: str, message: str) -> None:
    head = "version: 1\nname: Bad\nvars: {name: x}\nsteps:\n"
    ended = watched.run("run", watched.write(f"{head}{step}\n" if "[1]" not in message else f"{GOOD}{step}\n"))
    assert ended.code == 2
    assert message in ended.err


def test_one_bad_file_keeps_the_good_ones_from_being_enqueued(watched: Watched) -> None:
    good, bad = watched.write(GOOD, "good.yaml"), watched.write("version: 1\nname: Bad\nsteps: []\n", "bad.yaml")
    ended = watched.run("run", good, bad)
    assert ended.code == 2
    assert "bad.yaml" in ended.err


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"\xff\xfe\x00", "UTF-8"), (b"a: [", "case.yaml:1"), (b"{}", "case.yaml")],
)
def test_a_file_that_is_not_a_case_is_refused(watched: Watched, content: bytes, message: str) -> None:
    file = watched.program.folder / "case.yaml"
    file.write_bytes(content)
    ended = watched.run("run", file)
    assert ended.code == 2
    assert message in ended.err


def test_a_missing_file_a_folder_and_an_unreadable_file_are_distinguished(watched: Watched) -> None:
    assert "does not exist" in watched.run("run", "nowhere.yaml").err
    assert "folder" in watched.run("run", watched.program.folder).err
    if os.geteuid() != 0:  # root may read everything
        file = watched.write(GOOD)
        file.chmod(0)
        assert "permission" in watched.run("run", file).err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("stats", "test-exection"), "test-execution"),
        (("run", "--priority", "soon", "case.yaml"), "urgent, high, normal, low"),
        (("run", "--env", "NAME", "case.yaml"), "NAME=VALUE"),
        (("run", "--base-url", "shop", "case.yaml"), "whole URL"),
        (("show", "no-such-run"), "there is no run 'no-such-run'"),
        (("run", "x" * 300), f"{'x' * 200}...: cannot be used: File name too long"),
        (("init", "case.yaml"), "case.yaml/cases: cannot be used: Not a directory"),
    ],
)
def test_bad_options_are_refused_with_what_is_allowed(
    watched: Watched, args: tuple[str, ...], message: str
) -> None:
    watched.write(GOOD)
    ended = watched.run(*args)
    assert ended.code == 2
    assert message in ended.err


@pytest.mark.parametrize(
    ("name", "value"),
    [("REDIS_PORT", "70000"), ("QUEUE_CONCURRENCY", "none"), ("LOG_FORMAT", "xml"), ("QUEUE_MAX_ATTEMPTS", "0")],
)
def test_a_wrong_setting_is_refused_with_its_name_and_value(watched: Watched, name: str, value: str) -> None:
    ended = watched.run("run", watched.write(GOOD), **{name: value})
    assert ended.code == 2
    assert f"{name}: " in ended.err
    assert value in ended.err


def test_redis_that_is_unavailable_is_said_with_its_address(watched: Watched, free_port: int) -> None:
    ended = watched.run("run", watched.write(GOOD), REDIS_URL=f"redis://:hunter2@127.0.0.1:{free_port}/0")
    assert ended.code == 3
    assert f"127.0.0.1:{free_port}" in ended.err
    assert "hunter2" not in ended.err


def test_a_wrong_redis_password_is_said_and_not_shown(watched: Watched, tmp_path: Path) -> None:
    with start_redis(tmp_path / "other") as other:
        address = other.url.split("@")[-1]
        ended = watched.run("run", watched.write(GOOD), REDIS_URL=f"redis://:wrong-word@{address}")
    assert ended.code == 3
    assert "REDIS_PASSWORD" in ended.err
    assert "wrong-word" not in ended.err


def test_supabase_that_is_unavailable_or_refuses_the_key_is_said(watched: Watched, free_port: int) -> None:
    file = watched.write(GOOD)
    away = watched.run("run", file, SUPABASE_URL=f"http://127.0.0.1:{free_port}")
    assert away.code == 3
    assert f"127.0.0.1:{free_port}" in away.err
    key = "sb_secret_" + "x" * 31
    refused = watched.run("run", file, SUPABASE_SECRET_KEY=key)
    assert refused.code == 3
    assert "SUPABASE_SECRET_KEY" in refused.err
    assert key not in refused.err


def test_missing_tables_are_said_with_the_command_that_makes_them(
    watched: Watched, bare_supabase: LocalServer
) -> None:
    bare = {"SUPABASE_URL": bare_supabase.url, "SUPABASE_SECRET_KEY": bare_supabase.key or ""}
    ended = watched.run("run", watched.write(GOOD), **bare)
    assert ended.code == 3
    assert "qa-queue migrate" in ended.err


def test_a_worker_without_a_browser_says_what_fixes_it_and_takes_no_job(
    program: Program, redis_db: Redis, tmp_path: Path
) -> None:
    run_id = program("run", _good(program), "--json").json["runs"][0]["run_id"]
    settings = {
        **program.settings,
        "QA_RUNTIME": "processors.entry:Runtime",
        "QA_BROWSER_PATH": "/nowhere/chromium",
    }
    with WorkerProcess(tmp_path / "worker.log", **settings) as worker:
        worker.says("QA_BROWSER_PATH=/nowhere/chromium is not a file", timeout=60)
        assert redis_db.lrange("rq:queue:test-execution", 0, -1) == [run_id.encode()]


def _good(program: Program) -> Path:
    file = program.folder / "case.yaml"
    file.write_text(GOOD)
    return file


def test_without_supabase_settings_the_way_to_them_is_said(watched: Watched) -> None:
    ended = watched.run("run", watched.write(GOOD), SUPABASE_URL="", SUPABASE_SECRET_KEY="")
    assert ended.code == 2
    assert "SUPABASE_URL" in ended.err
    assert "qa-queue up" in ended.err


@pytest.fixture
def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
