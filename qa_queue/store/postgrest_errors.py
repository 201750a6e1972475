"""What a failed call to Supabase means: pure functions from an answer or a network error to a `StoreError`."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

import httpx

from qa_queue.errors import SettingsError, StoreAuthError, StoreError, StoreSchemaError, StoreUnavailableError

# SQLSTATE codes (PostgreSQL manual, appendix A) and PostgREST's own (its reference, "Errors").
_SCHEMA_CODES = {"42P01", "42703", "3F000", "PGRST106", "PGRST200", "PGRST204", "PGRST205"}
_BUSY_CODES = {"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03"}
_BUSY_CLASSES = ("08", "53", "PGRST00")
_BUSY_STATUS = {408, 425, 429}
_LONGEST = 300


def explain_answer(status: int, body: Any, table: str, host: str) -> StoreError:
    """The error that an HTTP answer of this status and JSON body stands for; `body` may be anything."""
    document = body if isinstance(body, dict) else {}
    code = str(document.get("code") or "")
    said = str(document.get("message") or document.get("msg") or document.get("error") or f"HTTP {status}")[
        :_LONGEST
    ]
    if status == 401 or code == "42501" or code.startswith("PGRST3"):
        return StoreAuthError(
            f"Supabase at {host} refused the key for {table} ({said}): set SUPABASE_SECRET_KEY to the project's "
            "secret (service role) key."
        )
    if code in _SCHEMA_CODES:
        return StoreSchemaError(
            f"the table {table} in Supabase at {host} is missing or out of date ({said}): run `qa-queue migrate`."
        )
    if code in _BUSY_CODES or code.startswith(_BUSY_CLASSES) or status in _BUSY_STATUS:
        return StoreUnavailableError(f"Supabase at {host} is too busy for {table} ({said}): try again.")
    if status >= 500 and not code:
        return StoreUnavailableError(f"Supabase at {host} answered {status} for {table} ({said}): try again.")
    if not code:
        return StoreError(f"{host} answered {status} for {table} ({said}): is SUPABASE_URL the project's URL?")
    return StoreError(f"Supabase at {host} refused a call on {table}: {said} ({code}).")


def explain_failure(error: httpx.HTTPError, host: str) -> StoreError:
    """The error that a call without an answer stands for; says nothing of headers, which hold the key."""
    mend = "Is it running, and is SUPABASE_URL right? `qa-queue up` starts the embedded one."
    if isinstance(error, httpx.TimeoutException):
        return StoreUnavailableError(f"Supabase at {host} did not answer in time. {mend}")
    if isinstance(error, httpx.ConnectError):
        return StoreUnavailableError(f"Supabase at {host} cannot be reached ({error}). {mend}")
    return StoreUnavailableError(f"the connection to Supabase at {host} broke ({type(error).__name__}). {mend}")


def refuse_public_key(key: str) -> None:
    """Return for a key that may be a secret one.

    Raises:
        SettingsError: the key cannot be one, or is the public one, which reads no rows and says nothing of it.
    """
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SettingsError("SUPABASE_SECRET_KEY has characters that no key has: copy it again, without spaces.")
    if key.startswith("sb_publishable_") or _claimed_role(key) in ("anon", "authenticated"):
        raise SettingsError(
            "SUPABASE_SECRET_KEY is a public (publishable, anon) key, which may not write: "
            "use the project's secret (service role) key."
        )


def _claimed_role(key: str) -> str | None:
    """The role in an old key, which is a JSON Web Token; None for a new one."""
    parts = key.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    except (binascii.Error, ValueError):
        return None
    return claims.get("role") if isinstance(claims, dict) else None
