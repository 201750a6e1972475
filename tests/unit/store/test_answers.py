"""The errors of failed calls to Supabase, and keys that cannot be the secret one."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from qa_queue.errors import (
    RowRefusedError,
    SettingsError,
    StoreAuthError,
    StoreError,
    StoreSchemaError,
    StoreUnavailableError,
)
from qa_queue.store.postgrest_errors import explain_answer, explain_failure, refuse_public_key


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (401, {"message": "Invalid API key"}, StoreAuthError, "SUPABASE_SECRET_KEY"),
        (401, {"code": "PGRST301", "message": "JWSError"}, StoreAuthError, "secret"),
        (403, {"code": "42501", "message": "permission denied"}, StoreAuthError, "test_runs"),
        (404, {"code": "PGRST205", "message": "no such table"}, StoreSchemaError, "qa-queue migrate"),
        (404, {"code": "42P01", "message": "no such relation"}, StoreSchemaError, "test_runs"),
        (400, {"code": "42703", "message": "no such column"}, StoreSchemaError, "qa-queue migrate"),
        (400, {"code": "PGRST204", "message": "no such column"}, StoreSchemaError, "no such column"),
        (500, {"code": "57014", "message": "statement timeout"}, StoreUnavailableError, "try again"),
        (500, {"code": "40P01", "message": "deadlock detected"}, StoreUnavailableError, "busy"),
        (503, {"code": "PGRST002", "message": "no schema cache"}, StoreUnavailableError, "busy"),
        (503, {"code": "53300", "message": "too many connections"}, StoreUnavailableError, "busy"),
        (429, None, StoreUnavailableError, "busy"),
        (502, "<html>", StoreUnavailableError, "502"),
        (
            409,
            {"code": "23503", "message": "violates foreign key"},
            RowRefusedError,
            "violates foreign key (23503)",
        ),
        (400, {"code": "22P02", "message": "invalid syntax"}, RowRefusedError, "invalid syntax (22P02)"),
        (405, {"code": "25006", "message": "read-only transaction"}, StoreUnavailableError, "try again"),
        (500, {"code": "SUP", "message": 'row violates check constraint "c"'}, RowRefusedError, "constraint"),
        (500, {"code": "SUP", "message": "out of memory"}, StoreError, "out of memory"),
        (403, {"message": "Forbidden"}, StoreError, "Forbidden"),
        (500, {"code": "230", "message": "odd"}, StoreError, "odd (230)"),
        (500, {"code": "XX000", "message": "internal"}, StoreError, "XX000"),
        (404, None, StoreError, "is SUPABASE_URL the project's URL?"),
        (302, None, StoreError, "is SUPABASE_URL the project's URL?"),
        (400, ["odd"], StoreError, "HTTP 400"),
    ],
)
def test_an_answer_becomes_the_error_that_says_what_to_do(
    status: int, body: Any, error: type[StoreError], words: str
) -> None:
    """Codes decide before statuses; each message names the host and the table."""
    found = explain_answer(status, body, "test_runs", "abc.supabase.co")
    assert type(found) is error
    for part in (words, "abc.supabase.co", "test_runs"):
        assert part in str(found)


def test_a_servers_long_message_is_cut() -> None:
    """A page of text does not become one line of the log."""
    assert len(str(explain_answer(400, {"message": "x" * 10_000}, "test_runs", "host"))) < 500


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (httpx.ConnectError("Connection refused"), "cannot be reached (Connection refused)"),
        (httpx.ReadTimeout("slow"), "did not answer in time"),
        (httpx.RemoteProtocolError("Server disconnected"), "broke (RemoteProtocolError)"),
        (httpx.LocalProtocolError("Illegal header value b'sb_secret_x'"), "broke (LocalProtocolError)"),
    ],
)
def test_a_call_without_an_answer_is_an_outage(failure: httpx.HTTPError, words: str) -> None:
    """The message names the host and the fix, and nothing of the request."""
    found = explain_failure(failure, "127.0.0.1:54321")
    assert type(found) is StoreUnavailableError
    assert words in str(found)
    assert "127.0.0.1:54321" in str(found)
    assert "qa-queue up" in str(found)
    assert "sb_secret" not in str(found)


def token(claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"header.{body}.signature"


@pytest.mark.parametrize("key", ["sb_secret_abc", token({"role": "service_role"}), token([]), "a.%%%.c", "a.b.c"])
def test_a_key_that_may_be_secret_passes(key: str) -> None:
    """A key that cannot be decoded is left to the server."""
    assert refuse_public_key(key) is None


@pytest.mark.parametrize("key", ["sb_publishable_abc", token({"role": "anon"}), token({"role": "authenticated"})])
def test_a_public_key_is_refused(key: str) -> None:
    """It would read no rows and say nothing; the message does not show it."""
    with pytest.raises(SettingsError, match="public") as caught:
        refuse_public_key(key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("key", ["sb_secret\nabc", "sb secret", "sb_sécret"])
def test_a_key_with_characters_that_no_key_has_is_refused(key: str) -> None:
    """A copied line break is named before it is sent."""
    with pytest.raises(SettingsError, match="copy it again") as caught:
        refuse_public_key(key)
    assert key not in str(caught.value)
