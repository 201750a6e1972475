"""Who gets in, and how much: tokens, logins, other sites' pages, sizes and rates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import httpx
import pytest
from redis import Redis

from qa_queue.auth.logins import OPERATOR, Logins
from qa_queue.auth.tokens import KEY, Role, TokenStore
from qa_queue.store.memory import MemoryStore
from tests.support.poll import wait_until
from tests.support.queueing import add, waiting
from tests.support.records import case_record, run_record
from tests.support.serving import client, own_host

OWN = {"Sec-Fetch-Site": "same-origin"}
FOREIGN = [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]


@pytest.fixture
def browser(url: str) -> Iterator[httpx.Client]:
    """A client that keeps cookies, without a login yet."""
    with client(url, headers=own_host(url), timeout=20) as opened:
        yield opened


def log_in(browser: httpx.Client, redis_db: Redis) -> httpx.Response:
    return browser.post("/login", data={"ticket": Logins(redis_db).invite()}, headers=OWN)


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/queue/stats", "/metrics", "/api/v1/no/such/path"])
def test_strangers_get_a_problem_document_and_no_more(browser: httpx.Client, path: str) -> None:
    """Not even which paths there are."""
    for headers in ({}, {"Authorization": "Bearer qaq_abc_def"}, {"Authorization": "Basic cWE6cWE="}):
        answer = browser.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["status"] == 401


@pytest.mark.parametrize("path", ["/", "/runs/x", "/rq/"])
def test_strangers_pages_lead_to_the_login(browser: httpx.Client, path: str) -> None:
    """Which comes back to where they wanted."""
    answer = browser.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path}")


def test_a_revoked_or_expired_token_is_worth_nothing(browser: httpx.Client, redis_db: Redis) -> None:
    """At once, and so are the logins made with it."""
    tokens = TokenStore(redis_db)
    info, text = tokens.create("ann", Role.READ)
    assert browser.post("/login", data={"token": text}, headers=OWN).status_code == 303
    assert browser.get("/").status_code == 200
    assert tokens.revoke(info.id)
    assert not tokens.revoke(info.id)
    assert browser.get("/").status_code == 303
    assert browser.get("/api/v1/runs", headers={"Authorization": f"Bearer {text}"}).status_code == 401
    _, old = tokens.create("bob", Role.READ, timedelta(0))
    assert browser.get("/api/v1/runs", headers={"Authorization": f"Bearer {old}"}).status_code == 401


def test_no_token_and_no_login_is_kept_in_words(browser: httpx.Client, redis_db: Redis) -> None:
    """Only hashes stand in Redis, so reading it gives no way in."""
    _, token = TokenStore(redis_db).create("ann", Role.ADMIN)
    ticket = Logins(redis_db).invite()
    log_in(browser, redis_db)
    session = browser.cookies["qa_session"]
    stored = b"".join(redis_db.hvals(KEY)) + b"".join(redis_db.scan_iter())
    for secret in (token, token.split("_", 2)[2], ticket, session):
        assert secret.encode() not in stored


def test_a_link_logs_in_once_and_only_when_its_button_is_pressed(browser: httpx.Client, redis_db: Redis) -> None:
    """Looking at it does not use it up; the cookie is out of reach for scripts and other sites."""
    ticket = Logins(redis_db).invite()
    assert browser.get("/login", params={"ticket": ticket}).status_code == 200
    answer = browser.post("/login", data={"ticket": ticket, "next": "/?show=failed"}, headers=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?show=failed")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    again = browser.post("/login", data={"ticket": ticket}, headers=OWN)
    assert again.status_code == 403
    assert "used already" in again.text
    assert browser.get("/api/v1/queue/stats").status_code == 200


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "qa-queue.localhost", "fedcba9876543210fedc.qa-queue.localhost", "qa.example"],
)
def test_a_session_is_worth_nothing_under_another_host(
    serve: Callable[..., str], redis_db: Redis, host: str
) -> None:
    """A caller with the cookie but not the name, as a tested site on another port would, is a stranger."""
    url = serve(qa_web_hosts="qa.example")
    with httpx.Client(base_url=url, headers=own_host(url)) as browser:
        log_in(browser, redis_db)
        cookie = {"Cookie": f"qa_session={browser.cookies['qa_session']}"}
        assert browser.get("/api/v1/runs").status_code == 200
    stolen = {**cookie, **own_host(url, host)}
    assert httpx.get(f"{url}/api/v1/runs", headers=stolen).status_code == 401
    assert httpx.get(f"{url}/", headers=stolen).headers["location"].startswith("/login")
    assert httpx.post(f"{url}/api/v1/cases", headers=stolen, json={}).status_code == 401


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "qa-queue.localhost"])
def test_a_login_on_loopback_gets_a_host_of_its_own(url: str, redis_db: Redis, host: str) -> None:
    """Which no one can guess, and which is another for each login; a link is not used up on the way."""
    ticket = Logins(redis_db).invite()
    port = urlsplit(url).port
    hosts = set()
    for _ in range(2):
        moved = httpx.get(f"{url}/login?ticket={ticket}&next=/x", headers={"Host": f"{host}:{port}"})
        where = urlsplit(moved.headers["location"])
        assert (moved.status_code, where.path, where.query) == (303, "/login", f"ticket={ticket}&next=/x")
        assert re.fullmatch(r"[0-9a-f]{20}\.qa-queue\.localhost", where.hostname or "")
        assert where.port == port
        hosts.add(where.hostname)
    assert len(hosts) == 2
    refused = httpx.post(f"{url}/login", data={"ticket": ticket}, headers={"Host": f"{host}:{port}", **OWN})
    assert "set-cookie" not in refused.headers
    assert Logins(redis_db).redeem(ticket, "any") is not None


def test_a_session_of_an_earlier_version_is_over(browser: httpx.Client, redis_db: Redis) -> None:
    """It was bound to no host."""
    log_in(browser, redis_db)
    (key,) = redis_db.scan_iter("qa:session:*")
    redis_db.set(key, OPERATOR.model_dump_json(), ex=60)
    assert browser.get("/").status_code == 303


def test_failed_logins_lock_out_no_one_with_a_valid_token(browser: httpx.Client, redis_db: Redis) -> None:
    """They are slowed down themselves, by address and by token; a valid token, a link and the API go on."""
    info, text = TokenStore(redis_db).create("ann", Role.READ)
    guesses = [f"qaq_{info.id}_{number}" for number in range(640)]
    answers = [browser.post("/login", data={"token": guess}, headers=OWN) for guess in guesses]
    assert [answer.status_code for answer in answers[:5]] == [403] * 5
    assert {answer.status_code for answer in answers[5:]} == {429}
    assert int(answers[-1].headers["retry-after"]) >= 30
    assert browser.get("/api/v1/runs", headers={"Authorization": f"Bearer {text}"}).status_code == 200
    assert browser.post("/login", data={"token": text}, headers=OWN).status_code == 303
    assert log_in(browser, redis_db).status_code == 303


def test_failed_tokens_lock_out_no_valid_one(serve: Callable[..., str], redis_db: Redis) -> None:
    """The same for the API, from the same address."""
    url = serve(qa_api_requests_per_minute=5)
    _, text = TokenStore(redis_db).create("ann", Role.READ)
    answers = [httpx.get(f"{url}/api/v1/runs", headers={"Authorization": "Bearer qaq_a_b"}) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {401, 429}
    assert httpx.get(f"{url}/api/v1/runs", headers={"Authorization": f"Bearer {text}"}).status_code == 200


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ("&".join(f"a{n}=1" for n in range(2000)), 422),
        ("token=" + "x" * 20_000, 413),
        ("token=%FF%00", 403),
        ("", 403),
    ],
)
def test_a_form_of_another_shape_is_refused(browser: httpx.Client, content: str, status: int) -> None:
    """Never an error of the service."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", **OWN}
    assert browser.post("/login", content=content, headers=headers).status_code == status


@pytest.mark.parametrize("path", ["/runs?user=%00", "/runs?case=a%00b", "/runs/%00", "/batches/x%00"])
def test_a_nul_in_an_address_is_refused(serve: Callable[..., str], redis_db: Redis, path: str) -> None:
    """No database holds one, and none is asked."""
    headers = {"Authorization": f"Bearer {TokenStore(redis_db).create('ann', Role.READ)[1]}"}
    answer = httpx.get(f"{serve()}/api/v1{path}", headers=headers)
    assert answer.status_code == 422
    assert "NUL character" in answer.json()["detail"]


def test_logging_out_ends_the_session_itself(browser: httpx.Client, redis_db: Redis) -> None:
    """A copy of the cookie is worth nothing afterwards."""
    log_in(browser, redis_db)
    session = browser.cookies["qa_session"]
    assert browser.post("/logout", headers=OWN).status_code == 303
    assert browser.get("/", headers={"Cookie": f"qa_session={session}"}).status_code == 303


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil"])
def test_a_login_leads_nowhere_else(browser: httpx.Client, redis_db: Redis, elsewhere: str) -> None:
    """Whatever `next` says."""
    ticket = Logins(redis_db).invite()
    answer = browser.post("/login", data={"ticket": ticket, "next": elsewhere}, headers=OWN)
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize("headers", FOREIGN)
def test_another_sites_page_changes_nothing(
    browser: httpx.Client, redis_db: Redis, store: MemoryStore, headers: dict[str, str]
) -> None:
    """Even with the cookie, which no browser would send along."""
    log_in(browser, redis_db)
    case = case_record()
    run = run_record(case)
    store.save([case, run])
    answer = browser.post(f"/api/v1/runs/{run.id}/cancel", headers=headers)
    assert answer.status_code == 403
    assert "Another site" in answer.json()["detail"]


def test_loopback_is_open_only_when_said_so_and_only_for_loopback(serve: Callable[..., str]) -> None:
    """What a proxy passes on, and what another site sends, is not from this machine."""
    url = serve(qa_api_open_on_loopback=True, qa_web_hosts="qa.example, other.example")
    assert httpx.get(f"{url}/api/v1/runs").status_code == 200
    assert httpx.get(f"{url}/api/v1/runs", headers={"X-Forwarded-For": "10.0.0.1"}).status_code == 401
    assert httpx.get(f"{url}/api/v1/runs", headers={"Host": "qa.example"}).status_code == 401
    assert httpx.get(f"{url}/api/v1/runs", headers={"Host": "evil.example"}).status_code == 400
    assert httpx.post(f"{url}/api/v1/cases", headers=FOREIGN[0], json={}).status_code == 403


def test_a_caller_in_a_hurry_is_asked_to_wait(serve: Callable[..., str], redis_db: Redis) -> None:
    """Each token has a bucket of its own; strangers have one too."""
    url = serve(qa_api_requests_per_minute=3)
    tokens = TokenStore(redis_db)
    callers = [{"Authorization": f"Bearer {tokens.create(name, Role.READ)[1]}"} for name in ("ann", "bob")]
    answers = [httpx.get(f"{url}/api/v1/cases", headers=callers[0]) for _ in range(5)]
    assert [answer.status_code for answer in answers][:3] == [200] * 3
    late = answers[-1]
    assert late.status_code == 429
    assert 0 < int(late.headers["retry-after"]) <= 20
    assert late.headers["content-type"] == "application/problem+json"
    assert httpx.get(f"{url}/api/v1/cases", headers=callers[1]).status_code == 200
    assert 429 in {httpx.get(f"{url}/api/v1/cases").status_code for _ in range(6)}


def test_checks_of_cases_have_a_limit_of_their_own(serve: Callable[..., str], redis_db: Redis) -> None:
    """For each token; they cost more than other requests."""
    url = serve(qa_api_checks_per_minute=2)
    tokens = TokenStore(redis_db)
    callers = [{"Authorization": f"Bearer {tokens.create(name, Role.READ)[1]}"} for name in ("ann", "bob")]
    check = partial(httpx.post, f"{url}/api/v1/cases/validate", json={"case": {}})
    answers = [check(headers=callers[0]) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "QA_API_CHECKS_PER_MINUTE" in answers[-1].json()["detail"]
    assert check(headers=callers[1]).status_code == 200
    assert httpx.get(f"{url}/api/v1/cases", headers=callers[0]).status_code == 200


def test_a_body_that_is_too_large_is_refused_however_it_is_sent(serve: Callable[..., str], redis_db: Redis) -> None:
    """By its announced length, and in chunks of none."""
    url = serve(qa_api_max_body=1000)
    headers = {"Authorization": f"Bearer {TokenStore(redis_db).create('ann', Role.RUN)[1]}"}
    big = b'{"case": "' + b"x" * 2000 + b'"}'
    for content in (big, iter([big[:900], big[900:]])):
        answer = httpx.post(f"{url}/api/v1/cases", content=content, headers=headers)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
    assert httpx.post(f"{url}/api/v1/cases", content=iter([b"{", b"}"]), headers=headers).status_code == 422


def test_what_is_not_json_is_reported(runner: httpx.Client) -> None:
    """400, with the place."""
    answer = runner.post("/api/v1/cases", content=b"{no", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["problems"]


def test_rq_dashboard_stands_behind_the_same_login(
    browser: httpx.Client, runner: httpx.Client, redis_db: Redis
) -> None:
    """For administrators, with its own pages' paths right."""
    log_in(browser, redis_db)
    page = browser.get("/rq/")
    assert page.status_code == 200
    assert "/rq/static/" in page.text
    assert browser.get("/rq/0/data/queues.json").json() == {"queues": []}
    assert runner.get("/rq/").status_code == 403
    assert browser.post("/rq/requeue/test-execution", headers=OWN).status_code == 403


def test_costly_requests_at_once_are_limited_for_each_token(serve: Callable[..., str], redis_db: Redis) -> None:
    """And they hold up no other request: the service answers while a case is checked."""
    url = serve(qa_api_costly_at_once=1, qa_api_checks_per_minute=1000)
    tokens = TokenStore(redis_db)
    callers = [{"Authorization": f"Bearer {tokens.create(name, Role.READ)[1]}"} for name in ("ann", "bob")]
    large = "name: x\nsteps:\n" + "- goto: /\n" * 4_999
    check = partial(httpx.post, f"{url}/api/v1/cases/validate", json={"case": large}, timeout=60)
    refused: list[httpx.Response] = []

    def overlap() -> bool:
        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(check, headers=callers[number]) for number in (0, 0, 1)]
            health = httpx.get(f"{url}/health/live", timeout=20)
            answers = [one.result() for one in asked]
        assert (health.status_code, answers[2].status_code) == (200, 200)
        assert 200 in {answer.status_code for answer in answers[:2]}
        refused.extend(answer for answer in answers if answer.status_code == 429)
        return bool(refused)

    wait_until(overlap, timeout=60, what="two checks at once")
    assert (refused[0].headers["retry-after"], "QA_API_COSTLY_AT_ONCE" in refused[0].json()["detail"]) == (
        "1",
        True,
    )


def test_streams_at_once_are_limited_for_each_token(serve: Callable[..., str], redis_db: Redis) -> None:
    """One that is closed lets another in."""
    url = serve(qa_api_streams=1)
    headers = {"Authorization": f"Bearer {TokenStore(redis_db).create('ann', Role.READ)[1]}"}
    with httpx.stream("GET", f"{url}/api/v1/events", headers=headers) as stream:
        assert stream.status_code == 200
        late = httpx.get(f"{url}/api/v1/events", params={"seconds": 0}, headers=headers)
        assert (late.status_code, late.headers["retry-after"]) == (429, "60")

    def opens() -> bool:
        return httpx.get(f"{url}/api/v1/events", params={"seconds": 0}, headers=headers).status_code == 200

    wait_until(opens, what="the end of the stream")


RQ_PATHS = [
    ("GET", "/rq/"),
    ("GET", "/rq/0/view/jobs"),
    ("GET", "/rq/0/data/queues.json"),
    ("GET", "/rq/static/css/main.css"),
    ("GET", "/rq/no/such/page"),
    ("POST", "/rq/job/run-1/delete"),
    ("POST", "/rq/requeue/test-execution"),
    ("POST", "/rq/queue/test-execution/queued/empty"),
]


@pytest.mark.parametrize("role", [None, Role.READ, Role.RUN])
def test_rq_dashboard_is_for_administrators_alone(url: str, redis_db: Redis, role: Role | None) -> None:
    """Whatever the path and method, by token and by login; the job that they would delete stays."""
    add(redis_db, "run-1")
    headers = {"X-Requested-With": "XMLHttpRequest", **OWN}
    with httpx.Client(base_url=url, headers={**own_host(url), **headers}, timeout=20) as browser:
        if role is None:
            answers = [browser.request(method, path) for method, path in RQ_PATHS]
            assert {answer.status_code for answer in answers} == {303, 401}
            assert {answer.headers.get("location", "/login")[:6] for answer in answers} == {"/login"}
        else:
            _, text = TokenStore(redis_db).create("ann", role)
            bearer = {"Authorization": f"Bearer {text}"}
            by_token = [browser.request(method, path, headers=bearer) for method, path in RQ_PATHS]
            assert browser.post("/login", data={"token": text}).status_code == 303
            by_login = [browser.request(method, path) for method, path in RQ_PATHS]
            assert {answer.status_code for answer in (*by_token, *by_login)} == {403}
            assert "rq-dashboard is for administrators" in by_token[0].json()["detail"]
    assert waiting(redis_db) == ["run-1"]


NAMES_OF_CALLERS = {"user", "user_id", "created_by", "judged_by", "by", "role", "actor", "token_id", "address"}


def test_no_body_names_its_caller(url: str) -> None:
    """Users come from the token: no operation takes one, at any depth of its body."""
    document = httpx.get(f"{url}/api/v1/openapi.json").json()
    schemas = document["components"]["schemas"]

    def words(schema: object, seen: frozenset[str] = frozenset()) -> set[str]:
        if isinstance(schema, list):
            return set().union(*(words(one, seen) for one in schema))
        if not isinstance(schema, dict):
            return set()
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        own = set(schema.get("properties", {})) | (
            words(schemas[name], seen | {name}) if name and name not in seen else set()
        )
        return own.union(
            *(words(value, seen) for key, value in schema.items() if key not in ("example", "examples"))
        )

    bodies = {
        f"{method.upper()} {path}": words(operation.get("requestBody", {}))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    cases = {"POST /api/v1/runs", "POST /api/v1/runs/batch", "POST /api/v1/cases"}
    assert all(bodies[operation] for operation in cases)
    found = {operation: named for operation, body in bodies.items() if (named := body & NAMES_OF_CALLERS)}
    assert found == {}


def test_the_user_of_a_run_is_its_caller(runner: httpx.Client, admin: httpx.Client, store: MemoryStore) -> None:
    """Of each run, by whatever operation, and never a name in a body."""
    case = {"version": 1, "name": "x", "base_url": "http://127.0.0.1:1", "steps": [{"goto": "/"}]}
    assert runner.post("/api/v1/runs", json={"case": case, "user_id": "ann"}).status_code == 422
    batch = {"runs": [{"case": case, "user_id": "ann"}]}
    assert runner.post("/api/v1/runs/batch", json=batch).status_code == 422
    first = runner.post("/api/v1/runs", json={"case": case}).json()["run_id"]
    several = runner.post("/api/v1/runs/batch", json={"runs": [{"case": case}, {"case": case}]}).json()
    second = admin.post(f"/api/v1/runs/{first}/rerun").json()["run_id"]
    third = admin.post("/api/v1/runs/rerun", json={"run_ids": [first], "only_failed": False}).json()["runs"][0][
        "run_id"
    ]
    for run in several["runs"]:
        store.update_run(run["run_id"], status="failed")
    fourth = admin.post(f"/api/v1/batches/{several['batch_id']}/rerun").json()["runs"][0]["run_id"]
    users = {run_id: store.get_run(run_id).user_id for run_id in (first, second, third, fourth)}
    assert users == {first: "run", second: "admin", third: "admin", fourth: "admin"}
