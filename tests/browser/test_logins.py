"""Logins: created once for all runs that share them, renewed, kept apart, and never seen."""

from __future__ import annotations

import asyncio
import zipfile
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from examples.reference import serve
from examples.reference.server import PASSWORD, Data
from qa_queue.auth.state_key import StateKey
from qa_queue.cases.model import Case
from qa_queue.cases.reader import parse_case
from qa_queue.errors import RunCancelledError
from qa_queue.models import ErrorKind, TestJobResult
from qa_queue.queues.login_states import LEASE_MS, MemoryLoginStates, RedisLoginStates
from tests.support.poll import async_wait_until
from tests.support.running import ExecutionHarness

SIGN_IN: list[dict[str, Any]] = [
    {"goto": "/signin"},
    {"fill": {"label": "User", "value": "${var.user}"}},
    {"fill": {"label": "Password", "value": "${secret.PASSWORD}"}},
    {"click": {"role": "button", "name": "Sign in"}},
    {"expect": {"test_id": "user", "text": "Signed in as ${var.user}"}},
]
KEY = StateKey(b64decode("k" * 43 + "="))
VALID = [{"request": {"get": "/api/me", "status": 200}}]
STEPS: list[dict[str, Any]] = [
    {"goto": "/account"},
    {"expect": {"test_id": "user", "text": "Signed in as Ann"}},
]


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Data:
    monkeypatch.setenv("QA_SECRET_PASSWORD", PASSWORD)
    return Data()


@pytest.fixture
def site_url(data: Data) -> Iterator[str]:
    with serve(data=data) as url:
        yield url


def case(url: str, *, login: Any = None, steps: list[dict[str, Any]] = STEPS, **fields: Any) -> Case:
    document = {
        "name": "Account",
        "base_url": url,
        "vars": {"user": "Ann"},
        "logins": {"ann": {"steps": SIGN_IN} | (login or {})},
        "use": {"storage_state": "ann"},
        "trace": "off",
        "steps": steps,
    }
    return parse_case(document | fields, source="account.yaml")


async def run(harness: ExecutionHarness, one: Case, **fields: Any) -> TestJobResult:
    return await harness.run(harness.submit(one, trusted=True, **fields))


def notes(harness: ExecutionHarness, result: TestJobResult) -> str:
    return "; ".join(harness.row(result.test_run_id).notes)


async def test_runs_share_one_login(harness: ExecutionHarness, data: Data, site_url: str, redis_db: Redis) -> None:
    """Those that need it at once wait for the one that signs in; later ones use its state, and say whose it is."""
    harness.login_states = RedisLoginStates(redis_db)
    results = await asyncio.gather(*(run(harness, case(site_url)) for _ in range(3)))
    results.append(await run(harness, case(site_url)))
    assert [(one.status, one.error) for one in results] == [("completed", None)] * 4
    assert data.logins == 1
    assert [len(harness.steps(one.test_run_id)) for one in results] == [len(STEPS)] * 4
    found = [notes(harness, one) for one in results]
    (creator,) = (one.test_run_id for one, note in zip(results, found, strict=True) if "by this run" in note)
    assert sum(f"created by run {creator} at" in note for note in found) == 3


async def test_nothing_secret_is_kept(
    harness: ExecutionHarness, data: Data, site_url: str, redis_db: Redis, tmp_path: Path
) -> None:
    """Neither the password nor the session is in Redis, in rows, in a message, or in any byte of an artifact."""
    harness.login_states = RedisLoginStates(redis_db)
    failing = [
        *STEPS,
        {"evaluate": "() => { console.log(localStorage.token); document.title = localStorage.token }"},
        {"expect": {"title": "Menu"}, "timeout": "200ms"},
    ]
    one = case(site_url, steps=failing, trace="on")
    result = await run(harness, one, config={"screenshots": "every-step"})
    assert (result.status, "***" in str(result.error)) == ("failed", True)
    (token,) = data.sessions
    rows = [harness.row(result.test_run_id), *harness.steps(result.test_run_id)]
    texts = [result.model_dump_json(), *(row.model_dump_json() for row in rows)]
    texts += [report.model_dump_json() for report in harness.progress.reports]
    files = [file for file in (tmp_path / "artifacts").rglob("*") if file.is_file()]
    assert {file.suffix for file in files} == {".png", ".zip", ".jsonl"}
    found = b"\n".join([*map(str.encode, texts), *map(content, files), *dump(redis_db)])
    for secret in (token, PASSWORD):
        assert secret.encode() not in found


def content(file: Path) -> bytes:
    """The bytes of a file, those of an archive unpacked."""
    if file.suffix != ".zip":
        return file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist())


def dump(connection: Redis) -> list[bytes]:
    """Every key of Redis with its value."""
    found: list[bytes] = []
    for key in connection.scan_iter("*"):
        found += [key, connection.dump(key) or b""]
        if connection.type(key) == b"hash":
            found += connection.hgetall(key).values()
    assert found
    return found


async def test_a_state_that_is_not_valid_any_more_is_renewed(
    harness: ExecutionHarness, data: Data, site_url: str
) -> None:
    """The site has forgotten the session: `valid_if` fails, and the login is done again, once for all runs."""
    one = case(site_url, login={"valid_if": VALID})
    assert (await run(harness, one)).status == "completed"
    data.sessions.clear()
    results = await asyncio.gather(*(run(harness, one) for _ in range(2)))
    assert [(result.status, result.error) for result in results] == [("completed", None)] * 2
    assert data.logins == 2


async def test_an_expired_state_is_created_again(harness: ExecutionHarness, data: Data, site_url: str) -> None:
    """One that expires at once still serves the run that created it."""
    for number in (1, 2):
        assert (await run(harness, case(site_url, login={"expires": "1ms"}))).status == "completed"
        assert data.logins == number


async def test_a_login_that_is_never_valid_fails_the_run(
    harness: ExecutionHarness, data: Data, site_url: str
) -> None:
    """After one renewal, with the step that says so."""
    never = [{"goto": "/account"}, {"expect": {"title": "Basket"}, "timeout": "100ms"}]
    result = await run(harness, case(site_url, login={"valid_if": never}))
    assert (result.status, result.error_kind, data.logins) == ("failed", ErrorKind.ASSERTION, 1)
    assert "the login 'ann' was renewed, but its new state is not valid either: step 2 of 'valid_if'" in str(
        result.error
    )


class WatchedStates(MemoryLoginStates):
    """States that note the digest in use, refused claims, and renewals of the lease."""

    def __init__(self) -> None:
        super().__init__()
        self.digests: set[str] = set()
        self.refused = self.renewed = 0

    def claim(self, digest: str, unusable: int = 0) -> int | None:
        fence = super().claim(digest, unusable)
        self.digests.add(digest)
        self.refused += fence is None
        return fence

    def renew(self, digest: str, fence: int) -> bool:
        self.renewed += 1
        return super().renew(digest, fence)


@pytest.fixture
def states(harness: ExecutionHarness) -> WatchedStates:
    harness.login_states = watched = WatchedStates()
    return watched


async def digest_of(harness: ExecutionHarness, states: WatchedStates, one: Case) -> str:
    """The digest of a case's login, whose state is gone again."""
    await run(harness, one)
    (digest,) = states.digests
    states._states.clear()
    return digest


async def test_a_login_that_fails_names_its_step(
    harness: ExecutionHarness, data: Data, site_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the words of the step; a run after that one signs in itself."""
    monkeypatch.setenv("QA_SECRET_PASSWORD", "wr0ng-password")
    steps = [*SIGN_IN[:-1], {**SIGN_IN[-1], "timeout": "300ms"}]
    for _ in range(2):
        one = case(site_url, login={"steps": steps})
        lines = {"(login ann)": [7, 8, 9, 10, 11]}
        result = await run(harness, one, source="account.yaml", step_lines=lines)
        assert (result.status, result.error) == (
            "failed",
            "the login 'ann' failed at its step 5 (account.yaml:11): expect element with test id 'user' text "
            "'Signed in as ${var.user}': expected text 'Signed in as Ann', found no such element in 300 ms on "
            "element with test id 'user'",
        )
        assert harness.steps(result.test_run_id) == []


@pytest.mark.parametrize("first", [{"goto": "/signin"}, {"if": {"visible": "h1"}, "then": [{"goto": "/signin"}]}])
async def test_a_login_has_a_time_of_its_own(
    harness: ExecutionHarness, data: Data, site_url: str, first: dict[str, Any]
) -> None:
    """For all of its steps together, the conditions included."""
    steps = [{**first, "timeout": "1m"}, {"expect": {"title": "Basket"}, "timeout": "1m"}]
    result = await run(harness, case(site_url, login={"steps": steps, "timeout": "200ms"}))
    assert (result.status, result.error_kind) == ("failed", ErrorKind.TIMEOUT)
    assert "the steps took longer than 200 ms in all (`timeout` of the login)" in str(result.error)


async def test_a_failed_login_is_not_repeated_by_runs_that_wait_for_it(
    harness: ExecutionHarness, states: WatchedStates, data: Data, site_url: str
) -> None:
    """A wrong password is tried once, not by every run: that would lock the account."""
    one = case(site_url)
    digest = await digest_of(harness, states, one)
    fence = states.claim(digest)
    assert fence is not None
    waiting = asyncio.create_task(run(harness, one))
    await async_wait_until(lambda: states.refused > 0)
    failure = {"run": "r1", "error": "the login 'ann' failed at its step 5: no", "kind": "assertion"}
    assert states.fail(digest, fence, KEY.seal(digest, failure))
    result = await waiting
    assert (result.status, result.error_kind) == ("failed", ErrorKind.ASSERTION)
    assert result.error == "the login 'ann' failed at its step 5: no (in run r1)"
    assert data.logins == 1


async def test_another_run_takes_over_from_one_that_died(
    harness: ExecutionHarness, data: Data, site_url: str, redis_db: Redis
) -> None:
    """Its lease is not renewed and expires; what it stores later is refused."""
    harness.login_states = states = RedisLoginStates(redis_db)
    await run(harness, case(site_url))
    (key,) = redis_db.keys("qa:login:state:*")
    digest = key.decode().rpartition(":")[2]
    redis_db.delete(key)
    dead = states.claim(digest)
    assert dead is not None
    waiting = asyncio.create_task(run(harness, case(site_url)))
    await async_wait_until(lambda: harness.progress.reports[-1].message == "Account: login ann")
    assert data.logins == 1
    redis_db.pexpire(f"qa:login:lease:{digest}", 1)
    assert (await waiting).status == "completed"
    assert data.logins == 2
    assert not states.store(digest, dead, b"late", LEASE_MS)


async def test_the_lease_is_renewed_while_a_login_lasts(
    harness: ExecutionHarness, states: WatchedStates, data: Data, site_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processors.execution.logins.LEASE_MS", 30)
    assert (await run(harness, case(site_url))).status == "completed"
    assert states.renewed > 0


async def test_other_runs_do_not_share_a_login(
    harness: ExecutionHarness, data: Data, site_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of another user, host or trust, and a worker with another key, signs in itself."""
    monkeypatch.setenv("QA_SECRET_PASSWORD_HOSTS", "127.0.0.1,localhost")
    one = case(site_url, steps=[{"goto": "/account"}, {"expect": {"title": "Account"}}])
    elsewhere = site_url.replace("127.0.0.1", "localhost")
    runs: list[dict[str, Any]] = [{}, {"user_id": "bob"}, {"base_url": elsewhere}, {"trusted": False}]
    for number, fields in enumerate(runs, 1):
        submitted = harness.submit(one, **{"user_id": "ann", "trusted": True} | fields)
        assert (await harness.run(submitted)).error is None
        assert data.logins == number
    harness.state_key = "l" * 43
    assert (await run(harness, one, user_id="ann")).error is None
    assert data.logins == len(runs) + 1


async def test_a_worker_without_a_key_says_so_before_the_browser(
    harness: ExecutionHarness, data: Data, site_url: str
) -> None:
    harness.state_key = None
    result = await run(harness, case(site_url))
    assert (result.status, result.error_kind, data.logins) == ("failed", ErrorKind.INPUT, 0)
    assert "QA_STATE_KEY is not set for this worker" in str(result.error)


async def test_a_damaged_state_is_created_again(
    harness: ExecutionHarness, states: WatchedStates, data: Data, site_url: str
) -> None:
    """As is one that was moved from another login."""
    one = case(site_url)
    digest = await digest_of(harness, states, one)
    for number, sealed in enumerate((b"damaged", KEY.seal("other", {"run": "r1", "state": {}})), 2):
        fence = states.claim(digest, states.read(digest).fence if states.read(digest) else 0)  # type: ignore[union-attr]
        assert fence is not None
        assert states.store(digest, fence, sealed, 60_000)
        assert (await run(harness, one)).status == "completed"
        assert data.logins == number


async def test_the_login_may_depend_on_the_row_of_data(
    harness: ExecutionHarness, data: Data, site_url: str
) -> None:
    """A name that no login has is an error before the browser."""
    logins = {"ann": SIGN_IN, "bob": SIGN_IN}
    one = case(site_url, logins=logins, use={"storage_state": "${data.login}"}, data=[{"login": "bob"}])
    result = await run(harness, one, data_row={"name": "bob", "values": {"login": "bob"}})
    assert (result.status, "login 'bob'" in notes(harness, result)) == ("completed", True)
    wrong = await run(harness, one, data_row={"name": "bop", "values": {"login": "bop"}})
    assert wrong.error == "use.storage_state: 'bop' is not a login of the case; did you mean 'bob'?"
    assert data.logins == 1


async def test_a_state_that_a_step_saves_serves_later_runs(
    harness: ExecutionHarness, data: Data, site_url: str
) -> None:
    """Without a login of its own, at this site and for this user."""
    steps = [{"request": {"post": "/api/login", "form": {"user": "Ann", "password": "${secret.PASSWORD}"}}}]
    first = case(site_url, logins={}, use={}, steps=[*steps, {"save_state": "staff"}])
    later = case(site_url, logins={}, use={"storage_state": "staff"})
    before = await run(harness, later)
    assert "no state 'staff' is saved" in str(before.error)
    saved = await run(harness, first)
    assert (saved.error, "step 2: the state of the browser was saved as 'staff'" in notes(harness, saved)) == (
        None,
        True,
    )
    assert (await run(harness, later)).error is None
    other = await run(harness, later, user_id="bob")
    assert "no state 'staff' is saved" in str(other.error)


async def test_a_saved_state_replaces_that_of_the_login_of_its_name(
    harness: ExecutionHarness, data: Data, site_url: str
) -> None:
    """Runs with this login begin with it from then on."""
    as_bob = {"request": {"post": "/api/login", "form": {"user": "Bob", "password": "${secret.PASSWORD}"}}}
    changed = await run(harness, case(site_url, steps=[*STEPS, as_bob, {"save_state": "ann"}]))
    assert changed.error is None
    bob = [{"goto": "/account"}, {"expect": {"test_id": "user", "text": "Signed in as Bob"}}]
    later = await run(harness, case(site_url, steps=bob))
    assert (later.error, data.logins) == (None, 2)
    assert f"created by run {changed.test_run_id}" in notes(harness, later)


async def test_a_run_is_cancelled_during_its_login(
    harness: ExecutionHarness, states: WatchedStates, data: Data, site_url: str
) -> None:
    """And its lease is free at once."""
    steps = [{"goto": "/signin"}, {"expect": {"title": "Basket"}, "timeout": "1m"}]
    submitted = harness.submit(case(site_url, login={"steps": steps}), trusted=True)
    running = asyncio.create_task(harness.run(submitted))
    await async_wait_until(lambda: bool(states.digests))
    harness.cancels.runs.add(submitted.test_run_id)
    with pytest.raises(RunCancelledError):
        await running
    (digest,) = states.digests
    assert states.claim(digest) is not None
