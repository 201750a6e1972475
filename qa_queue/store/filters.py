"""What queries of the store ask for, put on PostgREST's builders. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from qa_queue.models import RunStatus
from qa_queue.store.records import RunPlace, RunRecord


def one_of(column: str, ids: Sequence[str], query: Any) -> Any:
    """The rows whose column is one of these."""
    return query.in_(column, ids)


def which(query: Any, *, case_id: str | None, statuses: Sequence[RunStatus] | None, user_id: str | None) -> Any:
    """Runs of a case, of these statuses, of a user."""
    if case_id is not None:
        query = query.eq("test_case_id", case_id)
    if statuses is not None:
        query = query.in_("status", [status.value for status in statuses])
    return query if user_id is None else query.eq("user_id", user_id)


def when(query: Any, *, queued_since: datetime | None, finished_before: datetime | None) -> Any:
    """Runs queued since one moment, finished before another."""
    if queued_since is not None:
        query = query.gte("queued_at", queued_since.isoformat())
    return query if finished_before is None else query.lt("finished_at", finished_before.isoformat())


def behind(query: Any, last: RunRecord | RunPlace | None, *, oldest_first: bool) -> Any:
    """The query in order, from behind the last run that was seen."""
    query = query.order("queued_at", desc=not oldest_first).order("id", desc=not oldest_first)
    if last is None:
        return query
    sign, moment = ("gt" if oldest_first else "lt"), last.queued_at.isoformat()
    query = query.filter("queued_at", f"{sign}e", moment)  # says again what follows, in a form an index can serve
    return query.or_(f'queued_at.{sign}."{moment}",and(queued_at.eq."{moment}",id.{sign}.{last.id})')
