"""Reading the audit log, and the fields of things that its rows show."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from redis.exceptions import RedisError

from qa_queue.auth.audit import masked
from qa_queue.auth.tokens import TokenInfo
from qa_queue.errors import InputError, RedisUnavailableError
from qa_queue.queues.limits import LimitRule
from qa_queue.services.backend import Backend
from qa_queue.store.audit import AuditFilter, AuditRecord
from qa_queue.store.records import CaseRecord
from qa_queue.store.schedule_records import ScheduleFields, ScheduleRecord

_log = logging.getLogger(__name__)
_CONFIDENTIAL = ("env", "data")  # fields of schedules whose texts are not shown


def read_audit(backend: Backend, wanted: AuditFilter) -> list[AuditRecord]:
    """Return changes, the newest first, those included that waited for the store; a time without a zone is UTC.

    Raises:
        InputError: a time is outside the years 1 to 9999 in UTC.
    """
    try:
        backend.audit.store_waiting()
    except (RedisError, RedisUnavailableError) as error:
        _log.warning("Changes that wait in Redis are missing: %s", error)
    return backend.store.audit.list(replace(wanted, since=_utc(wanted.since), until=_utc(wanted.until)))


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise InputError(f"{moment.isoformat()} is not a time in UTC: write it as 2026-01-08T12:00:00Z.") from None


def token_fields(info: TokenInfo) -> dict[str, Any]:
    """Return the fields of a token, without its secret."""
    expires = info.expires_at.isoformat() if info.expires_at else None
    limits = info.scope.model_dump() if info.scope else None
    return {"name": info.name, "role": info.role.value, "expires_at": expires, "limits": limits}


def schedule_fields(row: ScheduleRecord) -> dict[str, Any]:
    """Return the fields of a schedule that are not the defaults, without texts that may be confidential."""
    fields = row.model_dump(mode="json", include=set(ScheduleFields.model_fields), exclude_defaults=True)
    hidden: dict[str, Any] = {name: masked(fields[name]) for name in _CONFIDENTIAL if name in fields}
    if row.base_url is not None:
        parts = urlsplit(row.base_url)
        hidden["base_url"] = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
    return {**fields, **hidden, "role": row.role.value}


def case_fields(case: CaseRecord | None) -> dict[str, Any]:
    """Return the fields of a case that identify its content; none of no case."""
    return {} if case is None else {"id": case.id, "version": case.version, "content": case.content_hash[:12]}


def limit_fields(rule: LimitRule | None) -> dict[str, Any]:
    """Return the fields of a limit; none of no limit."""
    return {} if rule is None else {"at_once": rule.at_once, "a_minute": rule.a_minute}
