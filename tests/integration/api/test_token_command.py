"""`qa-queue token`, as a person uses it."""

from __future__ import annotations

import json
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from redis import Redis
from typer.testing import CliRunner, Result

from qa_queue.auth.logins import Logins
from qa_queue.auth.tokens import Role, TokenScope, TokenStore
from qa_queue.cases.reader import parse_case
from qa_queue.cli.app import app
from qa_queue.errors import NotFoundError
from qa_queue.local.process import LocalServer
from qa_queue.models import RunStatus
from qa_queue.producer import RunRequest
from qa_queue.services import Backend
from qa_queue.settings import load_settings
from tests.support.program import Program

CASE = {"version": 1, "name": "Own", "base_url": "http://127.0.0.1:1", "steps": [{"goto": "/"}]}


@pytest.fixture(autouse=True)
def service(redis_db: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands' Redis is the tests'."""
    monkeypatch.setenv("REDIS_URL", redis_url)


def token(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["token", *arguments])


def test_a_token_is_shown_once_and_works(redis_db: Redis) -> None:
    """The list has everything but the token."""
    made = json.loads(token("create", "ci", "--role", "run", "--days", "7", "--json").stdout)
    assert TokenStore(redis_db).identify(made["token"]).role is Role.RUN
    listed = token("list", "--json").stdout
    assert made["token"] not in listed
    assert [one["name"] for one in json.loads(listed)["tokens"]] == ["ci"]
    assert token("revoke", made["id"]).exit_code == 0
    assert TokenStore(redis_db).identify(made["token"]) is None
    assert isinstance(token("revoke", made["id"]).exception, NotFoundError)


def test_a_revocation_may_cancel_the_runs_under_the_name(
    program: Program, redis_db: Redis, supabase: LocalServer
) -> None:
    """Those that wait and those that are delayed; runs of other names go on."""
    name, other, case = f"ann-{uuid4()}", f"bob-{uuid4()}", parse_case(CASE, source="own")
    info, _ = TokenStore(redis_db).create(name, Role.RUN)
    with Backend(load_settings(supabase_url=supabase.url, supabase_secret_key=supabase.key)) as backend:
        requests = [
            RunRequest(case=case, user_id=user, delay_ms=delay)
            for user, delay in ((name, None), (name, 3_600_000), (other, None))
        ]
        waits, delayed, goes_on = (run.run_id for run in backend.producer.submit(requests))
        assert program("token", "revoke", info.id, "--cancel-runs").out.splitlines() == [
            f"{info.id}  revoked",
            f"2 unfinished runs of {name} cancelled",
        ]
        statuses = [backend.run(run_id).status for run_id in (waits, delayed, goes_on)]
        assert statuses == [RunStatus.CANCELLED, RunStatus.CANCELLED, RunStatus.QUEUED]
        assert backend.queues.get_queue_stats()["test-execution"].delayed == 0


def test_a_token_may_have_limits(redis_db: Redis) -> None:
    """They are listed; an administrator has none, and a host is checked."""
    limits = ("--tag", "smoke", "--case", "login", "--host", "shop.example", "--host", "10.0.0.0/8")
    made = json.loads(token("create", "ci", *limits, "--json").stdout)
    found = TokenStore(redis_db).identify(made["token"])
    hosts = ("shop.example", "10.0.0.0/8")
    assert found is not None
    assert found.scope == TokenScope(cases=("login",), tags=("smoke",), hosts=hosts)
    assert "host" in token("list").stdout
    for wrong, message in (
        (("--role", "admin", "--tag", "smoke"), "do not go with --role admin"),
        (("--host", "a/b"), "--host: 'a/b' is not a host"),
    ):
        assert message in str(token("create", "ann", *wrong).exception)


def test_for_people_the_token_stands_alone_on_its_line() -> None:
    """So that it can be piped into a secret store."""
    shown = token("create", "ann")
    assert shown.stdout.strip().startswith("qaq_")
    assert "ann" in token("list").stdout


def test_the_link_logs_in_as_operator(redis_db: Redis) -> None:
    """Once."""
    link, _, ticket = token("link").stdout.strip().partition("/login?ticket=")
    host = urlsplit(link).hostname or ""
    assert host.endswith(".qa-queue.localhost")
    logins = Logins(redis_db)
    session = logins.redeem(ticket, host)
    assert session is not None
    assert logins.find(session, host).role is Role.ADMIN
    assert logins.redeem(ticket, host) is None
