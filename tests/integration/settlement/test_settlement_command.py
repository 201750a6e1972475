"""The example's queue by command line: as the service's own, wherever the package is installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from qa_queue.local.process import LocalServer
from tests.support.packages import install
from tests.support.program import Program

QUEUE = "settlement"


@pytest.fixture
def program(installed: Path, redis_db: Redis, redis_url: str, database: LocalServer, tmp_path: Path) -> Program:
    settings = {
        "REDIS_URL": redis_url,
        "SUPABASE_URL": database.url,
        "SUPABASE_SECRET_KEY": database.key or "",
        "QA_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(installed),
    }
    return Program(tmp_path, settings)


def test_a_settlement_is_added_paused_counted_and_done(
    program: Program, entries: Callable[[str], list[dict[str, Any]]], key: str
) -> None:
    """By `qa-queue worker` too."""
    data = {"user_id": "ann", "place_id": "p", "mission_id": "m", "amount": "0.05", "idempotency_key": key}
    assert program("pause", QUEUE, "--json").json["changed"] is True
    made = program("job", "add", QUEUE, "--data", json.dumps(data), "--idempotency-key", key, "--json").json
    stats = program("stats", "--json").json["queues"][QUEUE]
    assert (stats["waiting"], stats["paused"]) == (1, True)
    assert program("resume", QUEUE).code == 0
    ended = program("worker", QUEUE, "--burst")
    assert ended.code == 0, ended.err
    job = program("job", "show", made["job_id"], "--json").json
    assert (job["status"], job["result"]["amount"]) == ("completed", "0.05")
    assert [entry["amount_minor"] for entry in entries(key)] == [5]
    told = [json.loads(line)["event"] for line in program("events", "--queue", QUEUE, "--json").out.splitlines()]
    assert told == ["waiting", "active", "completed"]


def test_doctor_finds_the_package_and_one_that_is_broken_harms_nothing(program: Program, tmp_path: Path) -> None:
    """The broken one is named, with a way out, and in a warning of every command that asks for queues."""
    site = tmp_path / "more"
    install(site, "broken-post", {"letters": "broken_post:QUEUE"}, broken_post="raise RuntimeError('half written')")
    path = f"{program.settings['PYTHONPATH']}:{site}"
    findings = program("doctor", "--json", PYTHONPATH=path).json["findings"]
    packages = {one["found"]: one for one in findings if one["part"] == "package"}
    assert packages.pop("qa-settlement adds the queue settlement")["status"] == "ok"
    ((found, broken),) = packages.items()
    assert "'letters' of the package broken-post" in found
    assert broken["fix"].endswith("pip uninstall broken-post")
    stats = program("stats", "--json", PYTHONPATH=path)
    assert QUEUE in stats.json["queues"]
    assert "half written" in stats.err
    refused = program("pause", "letters", PYTHONPATH=path)
    assert (refused.code, "half written" in refused.err) == (2, True)
