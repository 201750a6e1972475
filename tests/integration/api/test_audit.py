"""The audit log: a row for each change, made over the API, by a page or by a command; and who may read it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from redis import Redis
from typer.testing import CliRunner

from qa_queue.api.app import create_app
from qa_queue.api.auth import SAFE_METHODS
from qa_queue.auth.audit import LONGEST_CHANGE_S, WAITING_KEY, AuditLog
from qa_queue.auth.logins import Logins
from qa_queue.auth.tokens import Identity, Role, TokenStore
from qa_queue.cli.app import app as commands
from qa_queue.errors import StoreUnavailableError
from qa_queue.models import utc_now
from qa_queue.services import Backend
from qa_queue.settings import load_settings
from qa_queue.store.audit import AuditFilter, AuditKind, AuditRecord
from qa_queue.store.memory import MemoryStore
from qa_queue.worker.scheduler import audit_tasks
from tests.support.dead_letters import bury, dead_run
from tests.support.heals import store_healed
from tests.support.queueing import QUEUE, add
from tests.support.records import artifact_record, case_record, run_record
from tests.support.serving import own_host

ROOT = Path(__file__).resolve().parents[3]
CASE = {"version": 1, "name": "Open the shop", "base_url": "http://127.0.0.1:1", "steps": [{"goto": "/"}]}
SCHEDULE = {"name": "nightly", "queue": "cleanup", "data": {"dry_run": True}, "every": "24h"}
SUBMITS = "its runs have rows that name their user"
READS = "it stores nothing"
EXEMPT = {
    "POST /api/v1/runs": SUBMITS,
    "POST /api/v1/runs/batch": SUBMITS,
    "POST /api/v1/runs/rerun": SUBMITS,
    "POST /api/v1/runs/{run_id}/rerun": SUBMITS,
    "POST /api/v1/batches/{batch_id}/rerun": SUBMITS,
    "POST /runs/{run_id}/rerun": SUBMITS,
    "POST /batches/{batch_id}/rerun": SUBMITS,
    "POST /api/v1/cases/validate": READS,
    "POST /api/v1/cases/import": READS,
    "POST /api/v1/schedules/preview": READS,
}


@dataclass
class Scene:
    """An administrator's client, and objects to change."""

    client: httpx.Client
    store: MemoryStore
    redis: Redis
    folder: Path

    def run(self) -> str:
        """A run that waits, in a batch of its own."""
        case = case_record(name=f"Case {uuid4()}")
        run = run_record(case, batch_id=str(uuid4()))
        self.store.save([case, run])
        add(self.redis, run.id)
        return run.id

    def batch(self) -> str:
        """A batch with a run that waits."""
        return self.store.get_run(self.run()).batch_id

    def artifact(self) -> str:
        """A run and a file of it, as a path."""
        run = self.store.get_run(self.run())
        row = artifact_record(run)
        self.store.save([row])
        return f"{run.id}/artifacts/{row.id}"

    def case(self) -> str:
        """A stored case."""
        return self.client.post("/api/v1/cases", json={"case": CASE | {"name": f"Case {uuid4()}"}}).json()["id"]

    def adaptation(self) -> str:
        """A heal without a judgement."""
        return store_healed(self.store, self.folder, f"Order {uuid4()}").id

    def schedule(self, **fields: Any) -> str:
        """A schedule."""
        answer = self.client.post("/api/v1/schedules", json={**SCHEDULE, "name": f"s {uuid4()}", **fields})
        return answer.json()["id"]

    def dead_letter(self) -> str:
        """A dead letter, with its run."""
        run_id = str(uuid4())
        dead_run(self.store, run_id)
        bury(self.redis, run_id)
        return run_id


IDS: dict[str, Callable[[Scene], str]] = {  # by the name of the part of a path
    "case_id": Scene.case,
    "adaptation_id": Scene.adaptation,
    "schedule": Scene.schedule,
    "schedule_id": Scene.schedule,
    "job_id": Scene.dead_letter,
    "run_id": Scene.run,
    "batch_id": Scene.batch,
    "queue": lambda _: "cleanup",
    "key:path": lambda _: "user:ann",
    "run_id}/artifacts/{artifact_id": Scene.artifact,
    "paused": lambda scene: scene.schedule(paused=True),
}


@dataclass(frozen=True)
class Change:
    """An operation: the kind of its row, its request, and what differs from `IDS` in its path."""

    kind: AuditKind
    body: Callable[[Scene, str], Any] = lambda _scene, _path: None
    ids: Mapping[str, str] = field(default_factory=dict)

    def request(self, operation: str, scene: Scene) -> tuple[str, Any]:
        """Create the objects of an operation; return its path and body."""
        names = re.findall(r"{(run_id}/artifacts/{artifact_id|[^}]+)}", operation)
        path = operation.partition(" ")[2]
        for name in names:
            path = path.replace(f"{{{name}}}", IDS[self.ids.get(name, name)](scene))
        return path, self.body(scene, path)


def json_body(**fields: Any) -> Callable[[Scene, str], Any]:
    """A body that needs no object."""
    return lambda _scene, _path: fields


def both(path: str, kind: AuditKind, **ids: str) -> dict[str, Change]:
    """A change without a body, that the API offers and a page."""
    return {f"POST {prefix}{path}": Change(kind, ids=ids) for prefix in ("/api/v1", "")}


CHANGES: dict[str, Change] = {
    "POST /api/v1/cases": Change(AuditKind.CASE_CREATE, json_body(case=CASE)),
    "PUT /api/v1/cases/{case_id}": Change(
        AuditKind.CASE_REPLACE, lambda scene, path: {"case": scene.client.get(path).json()["definition"]}
    ),
    "POST /api/v1/cases/{case_id}/duplicate": Change(
        AuditKind.CASE_CREATE, lambda _scene, _path: {"name": f"Copy {uuid4()}"}
    ),
    "DELETE /api/v1/cases/{case_id}": Change(AuditKind.CASE_DELETE),
    **both("/adaptations/{adaptation_id}/accept", AuditKind.ADAPTATION_ACCEPT),
    **both("/adaptations/{adaptation_id}/reject", AuditKind.ADAPTATION_REJECT),
    "POST /api/v1/schedules": Change(AuditKind.SCHEDULE_CREATE, json_body(**SCHEDULE)),
    "PUT /api/v1/schedules/{schedule}": Change(
        AuditKind.SCHEDULE_CHANGE, lambda _scene, _path: SCHEDULE | {"name": f"s {uuid4()}", "every": "2h"}
    ),
    "PATCH /api/v1/schedules/{schedule}": Change(AuditKind.SCHEDULE_CHANGE, json_body(every="3h")),
    "DELETE /api/v1/schedules/{schedule}": Change(AuditKind.SCHEDULE_DELETE),
    **{
        f"POST {place}/{verb}": Change(kind, ids=ids)
        for place in ("/api/v1/schedules/{schedule}", "/schedules/{schedule_id}")
        for verb, kind, ids in (
            ("pause", AuditKind.SCHEDULE_PAUSE, {}),
            ("resume", AuditKind.SCHEDULE_RESUME, {"schedule": "paused", "schedule_id": "paused"}),
            ("run-now", AuditKind.SCHEDULE_RUN, {}),
        )
    },
    "POST /api/v1/queue/dlq": Change(
        AuditKind.DEAD_LETTER_REQUEUE, lambda scene, _path: {"jobId": scene.dead_letter()}
    ),
    "POST /api/v1/queue/dlq/requeue-all": Change(AuditKind.DEAD_LETTER_REQUEUE, json_body()),
    "DELETE /api/v1/queue/dlq/{job_id}": Change(AuditKind.DEAD_LETTER_DISCARD),
    "POST /api/v1/queue/{queue}/pause": Change(AuditKind.QUEUE_PAUSE),
    "POST /api/v1/queue/{queue}/resume": Change(AuditKind.QUEUE_RESUME),
    "POST /api/v1/queue/{queue}/clean": Change(AuditKind.QUEUE_CLEAN, json_body()),
    "POST /api/v1/queue/{queue}/jobs": Change(AuditKind.JOB_SUBMIT, json_body(data={"dry_run": True})),
    "PUT /api/v1/limits/{key:path}": Change(AuditKind.LIMIT_SET, json_body(at_once=2)),
    "DELETE /api/v1/limits/{key:path}": Change(AuditKind.LIMIT_REMOVE),
    **both("/runs/{run_id}/cancel", AuditKind.RUN_CANCEL),
    **both("/batches/{batch_id}/cancel", AuditKind.BATCH_CANCEL),
    "POST /api/v1/runs/{run_id}/artifacts/{artifact_id}/links": Change(AuditKind.FILE_LINK),
    **both("/runs/{run_id}/pin", AuditKind.RUN_PIN),
    **both("/runs/{run_id}/unpin", AuditKind.RUN_UNPIN),
    **both("/batches/{batch_id}/pin", AuditKind.RUN_PIN),
    **both("/batches/{batch_id}/unpin", AuditKind.RUN_UNPIN),
    "POST /login": Change(AuditKind.LOGIN_OPEN, lambda scene, _path: {"ticket": Logins(scene.redis).invite()}),
    "POST /logout": Change(AuditKind.LOGIN_CLOSE, json_body()),
}


@pytest.fixture
def scene(admin: httpx.Client, store: MemoryStore, redis_db: Redis, tmp_path: Path) -> Scene:
    return Scene(admin, store, redis_db, tmp_path)


def changing_routes() -> Iterator[str]:
    """Every operation that may change something: method and path."""
    for route in iter_route_contexts(create_app(Backend(load_settings(), MemoryStore())).routes):
        path, methods = route.path or "", set(route.methods or ())
        if path.startswith("/api/v1") or not path.startswith("/api"):
            yield from (f"{method} {path}" for method in methods - SAFE_METHODS)


def test_every_operation_that_changes_something_is_in_the_table() -> None:
    """A new one cannot be forgotten: it is recorded, or exempt for a reason."""
    assert set(changing_routes()) == CHANGES.keys() | EXEMPT.keys()
    assert not CHANGES.keys() & EXEMPT.keys()


def test_every_change_leaves_one_row(scene: Scene, url: str) -> None:
    """With the caller, the address, the kind and the object; nothing waits behind."""
    for operation, change in CHANGES.items():
        path, body = change.request(operation, scene)
        before = {row.id for row in scene.store.audit.list(AuditFilter(limit=1000))}
        form = path in ("/login", "/logout")
        headers = {**own_host(url), "Sec-Fetch-Site": "same-origin"} if form else {}
        answer = scene.client.request(
            operation.split()[0],
            path,
            headers=headers,
            **({"data": body} if form else {"json": body} if body is not None else {}),
        )
        assert answer.status_code < 400, (operation, answer.text)
        new = [row for row in scene.store.audit.list(AuditFilter(limit=1000)) if row.id not in before]
        assert [row.kind for row in new] == [change.kind], operation
        assert new[0].outcome == "done"
        assert new[0].address == "127.0.0.1"
        assert new[0].actor == ("operator" if form else "admin"), operation
        assert new[0].object, operation
    assert scene.redis.hlen(WAITING_KEY) == 0


def test_a_change_that_is_refused_leaves_no_row(scene: Scene, runner: httpx.Client) -> None:
    """Neither for want of permission nor for what does not exist."""
    assert runner.post("/api/v1/queue/cleanup/pause").status_code == 403
    assert scene.client.delete("/api/v1/limits/user:bob").status_code == 404
    assert scene.client.post("/api/v1/queue/dlq", json={"jobId": "nothing"}).status_code == 404
    assert scene.store.audit.list() == []
    assert scene.redis.hlen(WAITING_KEY) == 0


def test_before_and_after_are_told_in_short(scene: Scene) -> None:
    """Of a schedule only what has changed; values of its environment are masked, and so is a login in its URL."""
    cases, address = [scene.case()], "http://ann:t0p-s3cret@127.0.0.1:1/"
    fields = {"queue": QUEUE, "data": {}, "cases": cases, "env": {"KEY": "t0p-s3cret"}, "base_url": address}
    schedule = scene.schedule(name="tidy", **fields)
    scene.client.patch(f"/api/v1/schedules/{schedule}", json={"every": "3h"})
    changed, created, _ = scene.store.audit.list()
    assert (created.object, created.after["env"]) == ("schedule tidy", {"KEY": "***"})
    assert created.after["base_url"] == "http://127.0.0.1:1/"
    assert (changed.before, changed.after) == ({"every": "1d"}, {"every": "3h"})
    assert "t0p-s3cret" not in changed.model_dump_json() + created.model_dump_json()


def test_failed_logins_are_recorded_and_do_not_flood_the_log(url: str, redis_db: Redis, store: MemoryStore) -> None:
    """The first ones of an address; a token's id is named, never its text."""
    info, text = TokenStore(redis_db).create("ann", Role.READ)
    with httpx.Client(base_url=url, headers={**own_host(url), "Sec-Fetch-Site": "same-origin"}) as browser:
        for number in range(30):
            browser.post("/login", data={"token": f"qaq_{info.id}_{number}"})
        assert browser.post("/login", data={"token": text}).status_code == 303
    rows = store.audit.list(AuditFilter(limit=100))
    assert [row.kind for row in rows] == [AuditKind.LOGIN_OPEN] + [AuditKind.LOGIN_REFUSE] * 6
    assert (rows[0].actor, rows[0].token_id, rows[1].token_id) == ("ann", info.id, info.id)
    assert text not in "".join(row.model_dump_json() for row in rows)


def test_administrators_read_the_log_in_pages(
    scene: Scene, reader: httpx.Client, runner: httpx.Client, url: str
) -> None:
    """By actor, kind and time, over the API and as a page; no one else does."""
    for queue in ("cleanup", "adaptation-learning", QUEUE):
        scene.client.post(f"/api/v1/queue/{queue}/pause")
    scene.client.post("/api/v1/queue/cleanup/resume")
    every = scene.client.get("/api/v1/audit").json()
    assert [row["kind"] for row in every["changes"]] == ["queue.resume"] + ["queue.pause"] * 3
    first = scene.client.get("/api/v1/audit", params={"kind": "queue.pause", "limit": 2}).json()
    second = scene.client.get(
        "/api/v1/audit", params={"kind": "queue.pause", "limit": 2, "cursor": first["next"]}
    ).json()
    assert [row["object"] for row in first["changes"] + second["changes"]] == [
        f"queue {QUEUE.value}",
        "queue adaptation-learning",
        "queue cleanup",
    ]
    assert second["next"] is None
    assert scene.client.get("/api/v1/audit", params={"actor": "bob"}).json()["changes"] == []
    later = (utc_now() + timedelta(hours=1)).isoformat()
    assert scene.client.get("/api/v1/audit", params={"since": later}).json()["changes"] == []
    for beyond in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        for side in ("since", "until"):
            assert scene.client.get("/api/v1/audit", params={side: beyond}).status_code == 422
    assert scene.client.get("/api/v1/audit", params={"kind": "other"}).status_code == 422
    page = scene.client.get("/audit", params={"kind": "queue.resume"})
    assert "queue cleanup" in page.text
    assert "queue.pause</code>" not in page.text
    for client in (reader, runner):
        assert client.get("/api/v1/audit").status_code == client.get("/audit").status_code == 403
    assert httpx.get(f"{url}/api/v1/audit").status_code == 401
    assert httpx.get(f"{url}/audit").status_code == 303


class Unavailable(MemoryStore):
    """A store whose audit log can be switched off."""

    def __init__(self) -> None:
        super().__init__()
        self.down = True
        self._add = self.audit.add
        self.audit.add = self._refusing  # type: ignore[method-assign]

    def _refusing(self, rows: list[AuditRecord]) -> None:
        if self.down:
            raise StoreUnavailableError("it does not answer")
        self._add(rows)


def test_while_the_store_is_unavailable_rows_wait_in_redis(serve: Callable[..., str], redis_db: Redis) -> None:
    """The change is made all the same; the scheduler stores the row once the store answers again."""
    store = Unavailable()
    _, text = TokenStore(redis_db).create("ann", Role.ADMIN)
    headers = {"Authorization": f"Bearer {text}"}
    assert httpx.post(f"{serve(store=store)}/api/v1/queue/cleanup/pause", headers=headers).json()["changed"] is True
    assert store.audit.list() == []
    assert redis_db.hlen(WAITING_KEY) == 1
    store.down = False
    tasks = audit_tasks(redis_db, store, load_settings())
    for task in tasks:
        task.do()
    (row,) = store.audit.list()
    assert (row.actor, row.kind, row.outcome) == ("ann", AuditKind.QUEUE_PAUSE, "done")
    assert redis_db.hlen(WAITING_KEY) == 0


def test_a_change_whose_process_ended_is_recorded_as_unknown(redis_db: Redis) -> None:
    """Later; one that still goes on waits."""
    store = MemoryStore()
    log = AuditLog(redis_db, lambda: store)
    entry = {"actor": "ann", "kind": "case.delete", "object": "case A"}
    old = AuditRecord(id=str(uuid4()), happened_at=utc_now() - timedelta(seconds=LONGEST_CHANGE_S + 1), **entry)
    new = AuditRecord(id=str(uuid4()), happened_at=utc_now(), **entry)
    for one in (old, new):
        redis_db.hset(WAITING_KEY, one.id, one.model_dump_json())
    redis_db.hset(WAITING_KEY, "unreadable", "{}")
    assert log.store_waiting() == 1
    assert store.audit.list() == [old]


def test_a_change_that_fails_is_recorded_with_its_error(redis_db: Redis) -> None:
    """It may be made in part."""
    store = MemoryStore()
    ann = Identity(name="ann", role=Role.ADMIN)
    with (
        pytest.raises(StoreUnavailableError),
        AuditLog(redis_db, lambda: store).change(ann, AuditKind.CASE_DELETE, "case A"),
    ):
        raise StoreUnavailableError("it went away")
    (row,) = store.audit.list()
    assert (row.outcome, row.error) == ("failed", "StoreUnavailableError: it went away")


def test_rq_dashboard_leaves_rows_too(scene: Scene, url: str) -> None:
    """By method and path, with the caller of the pages."""
    bury(scene.redis, "run-1")
    headers = {"X-Requested-With": "XMLHttpRequest", "Sec-Fetch-Site": "same-origin"}
    assert scene.client.post("/rq/job/run-1/delete", headers=headers).status_code == 200
    (row,) = scene.store.audit.list()
    assert (row.kind, row.object, row.actor) == (AuditKind.DASHBOARD, "POST /job/run-1/delete", "admin")


DIRECT = re.compile(
    r"\.(?:tokens\.(?:create|revoke)|schedules\.(?:add|replace|patch|pause|resume|remove)|schedule_runner\.run_now|"
    r"dead_letters\.(?:requeue|requeue_all|discard)|queues\.(?:pause|resume|clean)|limits\.(?:put|remove)|jobs\.submit|"
    r"producer\.submit_(?:cleanup|learning)|retention\.pin|batches\.cancel|file_links\.create|logins\.invite)\("
    r"|\b(?:services|cases)\.(?:create|replace|duplicate|delete)_case\(|\b(?:judgements|adaptations)\.(?:accept|reject)\("
)


@pytest.mark.parametrize("package", ["api", "cli"])
def test_no_module_makes_a_change_without_recording_it(package: str) -> None:
    """API and commands use `Backend.changes`, and the parts below it never directly."""
    sources = (ROOT / "qa_queue" / package).rglob("*.py")
    assert {
        path.name: found for path in sources if (found := DIRECT.findall(path.read_text(encoding="utf-8")))
    } == {}


def test_commands_leave_rows_that_name_the_user(
    redis_db: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`cli:USER@HOST`, without an address; without a store they wait in Redis."""
    for name, value in {"REDIS_URL": redis_url, "QA_HOME": str(tmp_path), "USER": "ann", "LOGNAME": "ann"}.items():
        monkeypatch.setenv(name, value)
    for name in ("SUPABASE_URL", "SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    made = json.loads(CliRunner().invoke(commands, ["token", "create", "ci", "--json"]).stdout)
    for arguments in (
        ["token", "revoke", made["id"]],
        ["token", "link"],
        ["pause", "cleanup"],
        ["resume", "cleanup"],
        ["clean", "cleanup"],
        ["limits", "set", "user:ann", "--at-once", "1"],
        ["limits", "remove", "user:ann"],
        ["job", "add", "cleanup", "--data", '{"dry_run": true}'],
    ):
        assert CliRunner().invoke(commands, arguments).exit_code == 0, arguments
    rows = sorted(
        map(AuditRecord.model_validate_json, redis_db.hvals(WAITING_KEY)), key=lambda row: row.happened_at
    )
    assert [row.kind.value for row in rows] == [
        "token.create",
        "token.revoke",
        "login.link",
        "queue.pause",
        "queue.resume",
        "queue.clean",
        "limit.set",
        "limit.remove",
        "job.submit",
    ]
    assert {row.outcome for row in rows} == {"done"}
    assert all(row.actor.startswith("cli:ann@") and row.address is None for row in rows)
    assert made["token"] not in "".join(row.model_dump_json() for row in rows)
