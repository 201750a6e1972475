"""What the API does, done by the command line, as programs read it: on a real Redis and a real Supabase."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

from redis import Redis

from qa_queue.local.process import LocalServer
from qa_queue.models import RunStatus
from qa_queue.progress import ProgressWriter
from qa_queue.queues.events import record_event
from qa_queue.store.supabase import SupabaseStore
from tests.support.program import Program
from tests.support.queueing import QUEUE, final, manager, report, take_all, waiting

CASE = """
version: 1
name: {name}
base_url: http://127.0.0.1:1
steps:
- goto: /
"""


def write(program: Program, *names: str) -> list[Path]:
    files = [program.folder / f"{name}.yaml" for name in names]
    for file in files:
        file.write_text(CASE.format(name=f"Twin {file.stem}"))
    return files


def test_several_cases_are_a_batch_that_is_seen_cancelled_and_made_again(
    program: Program, redis_db: Redis, supabase: LocalServer
) -> None:
    """One case is not a batch."""
    files = write(program, "one", "two", "three")
    assert program("run", files[0], "--json").json["batch_id"] is None
    made = program("run", *files, "--json").json
    batch, ids = made["batch_id"], [run["run_id"] for run in made["runs"]]
    assert program("batch", "list", "--limit", "1", "--json").json["batches"][0]["id"] == batch
    shown = program("batch", "show", batch, "--json").json
    assert (shown["verdict"], shown["total"], shown["run_ids"]) == ("running", 3, ids), (
        "in the order of the command"
    )
    assert "running" in program("batch", "show", batch).out
    store = SupabaseStore(supabase.url, supabase.key or "")
    store.update_run(ids[0], status=RunStatus.FAILED, error="the heading was not found\nseen: a button")
    store.close()
    text = program("batch", "show", batch).out
    assert "1 of 3 ended: 2 queued, 1 failed" in text
    assert "the heading was not found" in text
    assert "seen: a button" not in text, "the rest is in `show`"
    cancelled = program("batch", "cancel", batch, "--json").json["outcomes"]
    assert cancelled == {ids[1]: "removed", ids[2]: "removed"}
    assert len(waiting(redis_db)) == 2, "the run alone, and that whose row alone has ended"
    again = program("batch", "rerun", batch, "--json").json
    assert [run["case"] for run in again["runs"]] == ["Twin one"]
    assert again["batch_id"] not in (None, batch)
    assert program("batch", "rerun", again["batch_id"]).code == 2
    assert "No run belongs" in program("batch", "show", str(uuid4())).err


def test_runs_and_batches_are_pinned(program: Program) -> None:
    """By the beginning of an id; lists, `show` and JSON say so."""
    (alone, *others) = write(program, "alone", "left", "right")
    run_id = program("run", alone, "--json").json["runs"][0]["run_id"]
    batch = program("run", *others, "--json").json
    ids = [run_id, *(run["run_id"] for run in batch["runs"])]
    assert program("pin", run_id[:13], batch["batch_id"][:13], "--json").json == {"run_ids": ids, "pinned": True}
    assert "pinned: no cleanup deletes it" in program("show", run_id).out
    assert "(pinned)" in program("batch", "show", batch["batch_id"]).out
    assert program("unpin", run_id).out.strip() == "1 run no longer kept by cleanups."
    assert [program("show", one, "--json").json["pinned"] for one in ids] == [False, True, True]
    unknown = program("pin", str(uuid4()))
    assert (unknown.code, "there is no run or batch" in unknown.err) == (2, True)


def test_runs_are_made_again_and_their_place_and_files_are_said(program: Program, redis_db: Redis) -> None:
    """The place of one that waits; a started one has no place."""
    (file,) = write(program, "again")
    run_id = program("run", file, "--json").json["runs"][0]["run_id"]
    assert program("place", run_id, "--json").json == {
        "queue": QUEUE,
        "position": 1,
        "starts_at": None,
        "limited": False,
    }
    (other,) = program("rerun", run_id, "--json").json["runs"]
    assert waiting(redis_db) == [run_id, other["run_id"]]
    assert program("rerun", run_id, "--only-failed", "--json").json["runs"] == []
    assert program("artifacts", run_id, "--json").json == {"artifacts": []}
    take_all(redis_db)
    assert program("place", run_id).code == 2


def test_cases_are_stored_replaced_copied_and_deleted(program: Program) -> None:
    """With the versions and problems that the API tells too."""
    name = f"book {uuid4().hex[:8]}"
    (file,) = write(program, name)
    made = program("case", "create", file, "--json").json
    assert (made["name"], made["version"]) == (f"Twin {name}", 1)
    assert program("case", "create", file).code == 2
    file.write_text(file.read_text() + "- goto: /more\n")
    assert program("case", "replace", made["id"], file, "--json").json["version"] == 2
    assert len(program("case", "get", made["id"], "--json").json["definition"]["steps"]) == 2
    assert "goto: /more" in program("case", "get", made["name"]).out
    copy = program("case", "duplicate", made["id"], "--name", f"{name} copy", "--json").json
    listed = {case["id"] for case in program("case", "list", "--json").json["cases"]}
    assert {made["id"], copy["id"]} <= listed
    program("run", file)
    assert program("case", "delete", made["id"], "--json").json == {"case_id": made["id"], "runs": 1}
    assert "there is no case" in program("case", "get", made["id"]).err


def test_case_files_are_checked_and_recordings_turned_into_cases(program: Program) -> None:
    """As JSON, with every problem."""
    (good,) = write(program, "good")
    assert program("check", good, "--json").json["cases"] == [
        {"source": good.as_posix(), "name": "Twin good", "steps": 1, "notes": []}
    ]
    bad = program.folder / "bad.yaml"
    bad.write_text(CASE.format(name="Bad") + "- clik: x\n")
    ended = program("check", bad, "--json")
    assert (ended.code, ended.json["valid"], len(ended.json["problems"])) == (2, False, 1)
    recording = program.folder / "recording.json"
    recording.write_text(json.dumps({"title": "Recorded", "steps": [{"type": "navigate", "url": "http://x.y/"}]}))
    assert program("import", recording, "--json").json["case"]["name"] == "Recorded"


def test_losses_of_an_import_are_shown_everywhere_and_can_be_refused(program: Program) -> None:
    """By check, run, show and its JSON, and in the YAML of the case."""
    folder = program.folder / ("folder-with-a-long-name-" * 5)
    folder.mkdir()
    recording = folder / "recording.json"
    opening = {"type": "navigate", "url": "http://127.0.0.1:9/"}
    lost = {"type": "customStep", "name": "blur"}
    recording.write_text(json.dumps({"title": "Lossy", "steps": [opening, lost]}))
    note = "step 2 (customStep): not carried over: it is a custom step (blur)"

    assert program("check", recording, "--json").json["cases"][0]["notes"] == [note]
    run_id = program("run", recording, "--json").json["runs"][0]["run_id"]
    assert program("show", run_id, "--json").json["notes"] == [note]
    assert f"note: {note}" in " ".join(program("show", run_id).out.split())
    made = program("import", recording, "--to", folder / "case.yaml")
    assert str(folder / "case.yaml") in made.err
    assert program("check", folder / "case.yaml", "--json").json["cases"][0]["notes"] == [note]
    for command in ("check", "run", "import"):
        refused = program(command, recording, "--strict-import")
        assert (refused.code, f"{recording}: {note}" in refused.err) == (2, True)


def test_limits_are_set_listed_and_removed(program: Program) -> None:
    """And reasons for what cannot be one."""
    rule = {"key": "site:shop.example", "at_once": 2, "a_minute": None}
    assert program("limits", "set", "site:shop.example", "--at-once", "2", "--json").json == rule
    assert program("limits", "list", "--json").json == {"limits": [rule]}
    assert "site:shop.example" in program("limits", "list").out
    assert program("limits", "set", "shop", "--at-once", "2").code == 2
    assert program("limits", "remove", "site:shop.example", "--json").json == {"key": "site:shop.example"}
    assert program("limits", "remove", "site:shop.example").code == 2


def test_jobs_of_any_queue_are_made_and_looked_at(program: Program, redis_db: Redis) -> None:
    """Once for a key; what the queue's model refuses is reported field by field."""
    add = ("job", "add", "cleanup", "--idempotency-key", "weekly", "--json", "--data")
    made = program(*add, '{"dry_run": true}').json
    assert (made["queue"], made["created"]) == ("cleanup", True)
    assert program(*add, '{"dry_run": true}').json == made | {"created": False}
    job = program("job", "show", made["job_id"], "--json").json
    assert (job["status"], job["data"]["dry_run"]) == ("waiting", True)
    refused = program("job", "add", "cleanup", "--data", '{"keep_days": "x", "no": 1}')
    assert (refused.code, refused.err.count("error:")) == (2, 2)
    assert program("job", "add", "cleanup", "--data", "[1]").code == 2
    assert program("job", "show", "nothing").code == 2
    cleanup = program("cleanup", "--dry-run", "--json").json
    assert manager(redis_db).get_queue_stats("cleanup")["cleanup"].waiting == 2
    assert program("job", "show", cleanup["job_id"], "--json").json["name"] == "Dry run of the cleanup"


def test_queues_are_steered_with_answers_for_programs(program: Program) -> None:
    """Whether anything changed, and what was deleted or requeued."""
    paused = program("pause", "cleanup", "--json").json
    assert paused == {"queue": "cleanup", "paused": True, "changed": True}
    assert program("resume", "cleanup", "--json").json["paused"] is False
    assert program("clean", "cleanup", "--kind", "failed", "--json").json == {"deleted": []}
    assert program("clean", "cleanup", "--kind", "odd").code == 2
    assert program("dlq", "requeue", "--all", "--queue", "cleanup", "--json").json == {
        "requeued": [],
        "refused": {},
    }


def test_events_are_reported_line_by_line(program: Program, redis_db: Redis) -> None:
    """What was, of one queue or kind, behind an event; and what comes."""
    for number in range(600):
        record_event(redis_db, QUEUE, f"run-{number}", "active", {})
    record_event(redis_db, "cleanup", "job-1", "active", {"attempt": 1})
    every = [json.loads(line) for line in program("events", "--json").out.splitlines()]
    assert len(every) == 601
    assert every[-1] | {"id": "", "at": ""} == {
        "id": "",
        "event": "active",
        "queue": "cleanup",
        "job_id": "job-1",
        "at": "",
        "data": {"attempt": 1},
    }
    behind = program("events", "--after", every[598]["id"], "--queue", "cleanup", "--json").out
    assert [json.loads(line)["job_id"] for line in behind.splitlines()] == ["job-1"]
    follow = ("events", "--follow", "--timeout", "0.2", "--after", every[599]["id"])
    assert "job-1" in program(*follow).out
    assert program("events", "--event", "nothing").code == program("events", "--after", "x").code == 2


def test_a_run_is_followed_report_by_report(program: Program, redis_db: Redis, supabase: LocalServer) -> None:
    """Each a line of JSON; the exit code says how it ended."""
    (file,) = write(program, "watched")
    run_id = program("run", file, "--json").json["runs"][0]["run_id"]
    assert program("watch", run_id, "--json", "--timeout", "0.2").code == 4
    ProgressWriter(redis_db).write(run_id, report(run_id, 1))
    ProgressWriter(redis_db).write(run_id, final(run_id))
    store = SupabaseStore(supabase.url, supabase.key or "")
    store.update_run(run_id, status=RunStatus.COMPLETED)
    store.close()
    ended = program("watch", run_id, "--json")
    assert [json.loads(line)["status"] for line in ended.out.splitlines()] == ["running", "completed"]
    assert ended.code == 0
