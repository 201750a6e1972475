"""Reading the audit log."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime

from redis.exceptions import RedisError

from qa_queue.errors import InputError, RedisUnavailableError
from qa_queue.services.backend import Backend
from qa_queue.store.audit import AuditFilter, AuditRecord

_log = logging.getLogger(__name__)


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
