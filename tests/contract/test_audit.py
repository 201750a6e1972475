"""The contract of the audit log, checked in memory and on a real Supabase."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from qa_queue.errors import StoreError
from qa_queue.local.process import LocalServer
from qa_queue.models import utc_now
from qa_queue.store.audit import AuditFilter, AuditKind, AuditRecord
from qa_queue.store.client import SupabaseClient
from qa_queue.store.protocol import RunStore
from tests.support.records import case_record, run_record
from tests.support.schedules import schedule_record


def row(actor: str, **fields: Any) -> AuditRecord:
    """A row of an actor."""
    known = {"kind": AuditKind.QUEUE_PAUSE, "object": "cleanup", "outcome": "done", "happened_at": utc_now()}
    return AuditRecord(**{"id": str(uuid4()), "actor": actor, **known, **fields})


def test_a_row_is_written_once_and_comes_back_as_it_was(store: RunStore) -> None:
    """A second write of the same id changes nothing."""
    actor = f"ann {uuid4()}"
    given = row(actor, token_id="abc", address="10.0.0.9", before={"paused": False}, after={"paused": True})
    store.audit.add([given])
    store.audit.add([given.model_copy(update={"actor": "eve", "outcome": "unknown"})])
    assert store.audit.list(AuditFilter(actor=actor)) == [given]


TEXTS = ("true", "null", "not.null", "5", "1e5", 'a,b(c)."d"\\', "eq.x", "*", "")


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_found_whatever_it_looks_like(store: RunStore, text: str) -> None:
    """A user and a schedule may have the name of a boolean, a number or an operator."""
    given, run = row(text), run_record(store.save_cases([case_record()])[0], user_id=text)
    store.audit.add([given])
    store.save([run])
    assert given in store.audit.list(AuditFilter(actor=text))
    assert run.id in [one.id for one in store.list_runs(user_id=text, case_ids=[run.test_case_id])]
    schedule = schedule_record(name=text or "-")
    assert store.schedules.add(schedule)
    assert store.schedules.find(schedule.name) == schedule
    assert store.schedules.remove(schedule.id)


def test_rows_are_found_by_actor_kind_and_time_in_pages(store: RunStore) -> None:
    """The newest first."""
    actor, now = f"bob {uuid4()}", utc_now()
    kinds = [AuditKind.CASE_CREATE, AuditKind.CASE_DELETE, AuditKind.CASE_DELETE]
    rows = [row(actor, kind=kind, happened_at=now + timedelta(seconds=n)) for n, kind in enumerate(kinds)]
    store.audit.add(rows)
    assert store.audit.list(AuditFilter(actor=actor)) == rows[::-1]
    assert store.audit.list(AuditFilter(actor=actor, kinds=[AuditKind.CASE_DELETE])) == rows[:0:-1]
    assert store.audit.list(AuditFilter(actor=actor, kinds=[])) == []
    assert store.audit.list(AuditFilter(actor=actor, since=rows[1].happened_at)) == rows[:0:-1]
    assert store.audit.list(AuditFilter(actor=actor, until=rows[1].happened_at)) == rows[:1]
    first = store.audit.list(AuditFilter(actor=actor, limit=2))
    assert store.audit.list(AuditFilter(actor=actor, after=first[-1].place)) == rows[:1]


def test_only_old_rows_expire(store: RunStore) -> None:
    """However few days are asked for, those of the last 30 stay."""
    actor = f"cem {uuid4()}"
    old, new = row(actor, happened_at=utc_now() - timedelta(days=31)), row(actor)
    store.audit.add([old, new])
    assert store.audit.expire(0) >= 1
    assert store.audit.list(AuditFilter(actor=actor)) == [new]


def test_the_database_refuses_changes_of_rows(supabase: LocalServer) -> None:
    """Also to the key of the service."""
    client = SupabaseClient(supabase.url, supabase.key or "")
    given = row(f"eve {uuid4()}")
    table = client.table("audit_log")
    client.send(table.insert(given.model_dump(mode="json")))
    with pytest.raises(StoreError):
        client.send(client.table("audit_log").update({"actor": "ann"}).eq("id", given.id))
    with pytest.raises(StoreError):
        client.send(client.table("audit_log").delete().eq("id", given.id))
    found = client.send(client.table("audit_log").select("actor").eq("id", given.id)).data
    client.close()
    assert found == [{"actor": given.actor}]
