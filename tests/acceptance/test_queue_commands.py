"""Pausing, delaying and dead letters by command line, with a real worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from redis import Redis

from qa_queue.queues.priority_queue import PriorityQueue
from tests.support.poll import wait_until
from tests.support.program import Program
from tests.support.workers import WorkerProcess

ROOT = Path(__file__).resolve().parents[2]
LOGIN = ROOT / "examples" / "shop" / "cases" / "login.yaml"


def stats(program: Program, queue: str = "test-execution") -> dict[str, Any]:
    found: dict[str, Any] = program("stats", queue, "--json").json["queues"][queue]
    return found


def test_a_paused_queue_starts_nothing_until_it_is_resumed(
    program: Program, worker: WorkerProcess, shop: str
) -> None:
    assert "is paused" in program("pause", "test-execution").out
    run_id = program("run", LOGIN, "--base-url", shop, "--json").json["runs"][0]["run_id"]
    assert (stats(program)["waiting"], stats(program)["processing"]) == (1, 0)
    assert program("show", run_id, "--json").json["status"] == "queued"
    assert "is resumed" in program("resume", "test-execution").out
    assert program("watch", run_id).code == 0


def test_a_delayed_run_waits_and_can_be_cancelled(program: Program, shop: str) -> None:
    ended = program("run", LOGIN, "--base-url", shop, "--delay", "600000", "--json")
    assert (stats(program)["waiting"], stats(program)["delayed"]) == (0, 1)
    assert "before it started" in program("cancel", ended.json["runs"][0]["run_id"]).out
    assert stats(program)["delayed"] == 0


def test_a_dead_letter_is_listed_requeued_and_discarded(program: Program, redis_db: Redis, tmp_path: Path) -> None:
    def dead() -> bool:
        return bool(stats(program, "cleanup")["dlq"] == 1)

    settings = {**program.settings, "QA_RUNTIME": "processors.entry:Runtime"}
    with WorkerProcess(tmp_path / "worker.log", queues=("cleanup",), **settings):
        job_id = PriorityQueue("cleanup", connection=redis_db).enqueue("nowhere.nothing", data={}).id
        wait_until(dead, timeout=60, what="a dead letter")
        (letter,) = program("dlq", "list", "--json").json["jobs"]
        assert letter["id"] == job_id
        assert "nowhere.nothing" in letter["error"]
        assert job_id in program("dlq", "list").out
        assert "requeued" in program("dlq", "requeue", job_id).out
        wait_until(dead, timeout=60, what="the letter to die again")
    assert program("dlq", "list", "--json").json["jobs"][0]["requeues"] == 1
    assert "discarded" in program("dlq", "discard", job_id).out
    assert "No dead letters" in program("dlq", "list").out


def test_an_unknown_dead_letter_is_refused(program: Program) -> None:
    ended = program("dlq", "requeue", "no-such-job")
    assert ended.code == 2
    assert "no-such-job" in ended.err
