"""Errors of calls to Supabase: pure functions from an answer or a network error to a `StoreError`."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx

from qa_queue.errors import (
    RowRefusedError,
    SettingsError,
    StoreAuthError,
    StoreError,
    StoreSchemaError,
    StoreUnavailableError,
)

# SQLSTATE codes (PostgreSQL manual, appendix A) and PostgREST's own (its reference, "Errors").
_SCHEMA_CODES = {"42P01", "42703", "3F000", "PGRST106", "PGRST200", "PGRST204", "PGRST205"}
_BUSY_CODES = {"25006", "40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03"}
_BUSY_CLASSES = ("08", "53", "PGRST00")
_BUSY_STATUS = {408, 425, 429}
_CONTENT = re.compile(r"2[23][0-9A-Z]{3}")  # data exceptions and integrity constraint violations
# Supabase Lite drops the SQLSTATE of check violations (23514) and gives a code of its own.
_LITE_CODE, _CHECK_VIOLATION = "SUP", "violates check constraint"
_MAX_MESSAGE = 300
_TEXTS: Mapping[type[StoreError], str] = {
    StoreAuthError: (
        "Supabase at {host} refused the key for {table} ({said}): set SUPABASE_SECRET_KEY to the project's secret "
        "(service role) key."
    ),
    StoreSchemaError: (
        "the table {table} in Supabase at {host} is missing or out of date ({said}): run `qa-queue migrate`."
    ),
    StoreUnavailableError: "Supabase at {host} is unavailable or too busy for {table} ({said}): try again.",
}


def explain_answer(status: int, body: Any, table: str, host: str) -> StoreError:
    """Return the error for an HTTP answer with this status and JSON body, which may be any value."""
    document = body if isinstance(body, dict) else {}
    code = str(document.get("code") or "")
    message = document.get("message") or document.get("msg") or document.get("error") or f"HTTP {status}"
    said = str(message)[:_MAX_MESSAGE]
    kind = _classify(status, code, said)
    if kind in _TEXTS:
        return kind(_TEXTS[kind].format(host=host, table=table, said=said))
    if code:
        return kind(f"Supabase at {host} refused a call on {table}: {said} ({code}).")
    return kind(f"{host} answered {status} for {table} ({said}): is SUPABASE_URL the project's URL?")


def _classify(status: int, code: str, message: str) -> type[StoreError]:
    if status == HTTPStatus.UNAUTHORIZED or code == "42501" or code.startswith("PGRST3"):
        return StoreAuthError
    if code in _SCHEMA_CODES:
        return StoreSchemaError
    if code in _BUSY_CODES or code.startswith(_BUSY_CLASSES) or status in _BUSY_STATUS:
        return StoreUnavailableError
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not code:
        return StoreUnavailableError
    refused = _CONTENT.fullmatch(code) or (code == _LITE_CODE and _CHECK_VIOLATION in message)
    return RowRefusedError if refused else StoreError


def explain_failure(error: httpx.HTTPError, host: str) -> StoreError:
    """Return the error for a call without an answer; it never shows headers, because they contain the key."""
    fix = "Is it running, and is SUPABASE_URL right? `qa-queue up` starts the embedded one."
    if isinstance(error, httpx.TimeoutException):
        return StoreUnavailableError(f"Supabase at {host} did not answer in time. {fix}")
    if isinstance(error, httpx.ConnectError):
        return StoreUnavailableError(f"Supabase at {host} cannot be reached ({error}). {fix}")
    return StoreUnavailableError(f"the connection to Supabase at {host} broke ({type(error).__name__}). {fix}")


def refuse_public_key(key: str) -> None:
    """Return if the key may be a secret one.

    Raises:
        SettingsError: the key has impossible characters, or is a public one, which reads no rows without an error.
    """
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SettingsError("SUPABASE_SECRET_KEY has impossible characters: copy it again, without spaces.")
    if key.startswith("sb_publishable_") or _claimed_role(key) in ("anon", "authenticated"):
        raise SettingsError(
            "SUPABASE_SECRET_KEY is a public (publishable, anon) key, which may not write: "
            "use the project's secret (service role) key."
        )


def _claimed_role(key: str) -> str | None:
    """Return the role in an old key, which is a JSON Web Token; None for a new key."""
    parts = key.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    except (binascii.Error, ValueError):
        return None
    return claims.get("role") if isinstance(claims, dict) else None
