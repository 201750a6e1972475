"""What identifies the state of a login, and which of its values are hidden."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

import pytest

from processors.execution.login_plan import LoginPlan, hidden_values
from processors.execution.plan import plan_run
from qa_queue.auth.state_key import MAX_STATE_BYTES, StateKey
from qa_queue.cases.generated import Seed
from qa_queue.cases.reader import parse_case
from qa_queue.errors import InputError, SettingsError
from qa_queue.models import TestJobData
from qa_queue.settings import Secret, Settings, load_settings

NOW = datetime(2030, 1, 1, tzinfo=UTC)
KEY = StateKey(b"k" * 32)
FLOW = {"flow": "f", "params": {"user": {}}, "steps": [{"goto": "/${param.user}/${env.LANG:-de}"}]}
BASE: dict[str, Any] = {
    "name": "x",
    "base_url": "http://a.example",
    "vars": {"user": "ann"},
    "logins": {
        "ann": {
            "steps": [
                {"use": {"flow": "f", "with": {"user": "${var.user}"}}},
                {"fill": {"css": "a", "value": "${secret.PW}"}},
                {"fill": {"css": "b", "value": "${uuid} ${run.id}"}},
            ]
        }
    },
    "flows": {"f": FLOW},
    "use": {"storage_state": "ann"},
    "steps": [{"goto": "/"}],
}


def digest(
    fields: dict[str, Any] | None = None, *, secret: str = "s3cret", env: dict[str, str] | None = None, **data: Any
) -> str:
    """The name of the state that a run of the case uses."""
    case = parse_case(BASE | (fields or {}), source="x")
    run = {"test_case_id": "c", "test_run_id": "r", "trusted": True, "user_id": "u", "env": env or {}} | data
    plan = plan_run(
        case, TestJobData(**run), {"PW": Secret(secret, "a.example")}, seed=Seed.of(None, now=NOW, fresh="1")
    )
    assert plan.login is not None
    return KEY.digest(plan.login.identity)


def login(**changes: Any) -> dict[str, Any]:
    return {"logins": {"ann": BASE["logins"]["ann"] | changes}}


@pytest.mark.parametrize(
    "same",
    [
        {},
        {"test_run_id": "other"},
        {"seed": "other"},
        {"fields": {"name": "y", "steps": [{"goto": "/other"}], "vars": {"user": "ann", "more": "1"}}},
        {"fields": {"use": {"storage_state": "ann", "viewport": "800x600"}}},
        {"fields": login(valid_if=[{"goto": "/"}], expires="2h")},
        {"env": {"OTHER": "1"}},
    ],
)
def test_runs_of_the_same_login_share_its_state(same: dict[str, Any]) -> None:
    """Whatever else their cases do."""
    assert digest(**same) == digest()


@pytest.mark.parametrize(
    "other",
    [
        {"secret": "another"},
        {"user_id": "v"},
        {"user_id": None},
        {"trusted": False},
        {"base_url": "http://b.example"},
        {"env": {"LANG": "en"}},
        {"fields": {"vars": {"user": "bob"}}},
        {"fields": {"flows": {"f": FLOW | {"steps": [{"goto": "/other"}]}}}},
        {"fields": {"use": {"storage_state": "ann", "headers": {"X-Tenant": "2"}}}},
        {"fields": login(steps=[*BASE["logins"]["ann"]["steps"], {"goto": "/"}])},
    ],
)
def test_anything_that_the_login_depends_on_makes_another_state(other: dict[str, Any]) -> None:
    assert digest(**other) != digest()


def test_a_value_that_a_login_lacks_is_an_error_before_the_browser() -> None:
    with pytest.raises(InputError, match=r"login 'ann': step 1: \$\{var.none\} has no value"):
        digest(login(steps=[{"goto": "/${var.none}"}]))


def cookie(value: str, *, http_only: bool = False) -> dict[str, Any]:
    return {"name": "c", "value": value, "httpOnly": http_only}


@pytest.mark.parametrize(
    ("state", "hidden"),
    [
        ({"cookies": [cookie("a1b2c3"), cookie("de"), cookie("dark-mode"), cookie("12")]}, ["a1b2c3"]),
        ({"cookies": [cookie("secret", http_only=True), cookie("on", http_only=True)]}, ["secret"]),
        ({"cookies": [cookie("x" * 24)]}, ["x" * 24]),
        ({"origins": [{"localStorage": [{"name": "t", "value": "eyJhbGciOi.9x8y"}]}]}, []),
        ({"origins": [{"localStorage": [{"name": "t", "value": "eyJhbGciOi.9x8y7z"}]}]}, ["eyJhbGciOi.9x8y7z"]),
        (
            {
                "origins": [
                    {"localStorage": [{"name": "u", "value": '{"a": {"token": "t0ken-of-the-user"}, "n": 1}'}]}
                ]
            },
            ["t0ken-of-the-user"],
        ),
        ({"origins": [{"localStorage": [{"name": "u", "value": "https://a.example/long/path"}]}]}, []),
        ({"origins": [{"localStorage": [{"name": "u", "value": "{not json 1234567890"}]}]}, []),
        (
            {"origins": [{"indexedDB": [{"stores": [{"records": [{"value": "idb-token-1234567"}]}]}]}]},
            ["idb-token-1234567"],
        ),
    ],
)
def test_values_that_could_sign_in_are_hidden(state: dict[str, Any], hidden: list[str]) -> None:
    """Words and short values are not: to mask them would spoil reports."""
    plan = LoginPlan(name="ann", login=None, identity={})
    assert list(hidden_values(plan, state).values()) == hidden


def test_a_sealed_state_is_bound_to_its_key_and_its_login() -> None:
    sealed = KEY.seal("a", {"token": "t0ken"})
    assert KEY.unseal("a", sealed) == {"token": "t0ken"}
    assert (KEY.unseal("b", sealed), StateKey(b"l" * 32).unseal("a", sealed), KEY.unseal("a", b"x")) == (
        None,
        None,
        None,
    )
    assert b"t0ken" not in sealed


def test_a_state_that_is_too_large_is_refused() -> None:
    with pytest.raises(InputError, match="let the site store less"):
        KEY.seal("a", "x" * MAX_STATE_BYTES)


def test_a_worker_without_a_key_is_asked_to_set_one() -> None:
    with pytest.raises(InputError, match=r"QA_STATE_KEY is not set for this worker.*openssl rand -base64 32"):
        StateKey.of(Settings(_env_file=None))


@pytest.mark.parametrize("text", ["short", "x" * 60, "not a key at all, but 43 characters long....", "ключ"])
def test_a_key_of_another_form_is_refused_without_being_shown(text: str) -> None:
    """Base64 with either alphabet, padded or not, is a key."""
    with pytest.raises(SettingsError, match=r"QA_STATE_KEY: is not a key of 32 bytes in base64") as caught:
        load_settings(qa_state_key=text)
    assert text not in str(caught.value)
    for key in ("+/" * 21 + "8=", "-_" * 21 + "8"):
        assert StateKey.of(load_settings(qa_state_key=key)).digest("a") == StateKey(
            b64decode("+/" * 21 + "8=")
        ).digest("a")
