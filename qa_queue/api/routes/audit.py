"""The operation on the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from qa_queue.api import pagination
from qa_queue.api.dependencies import Admin, Service
from qa_queue.api.errors import Absent, answers
from qa_queue.services.audit import read_audit
from qa_queue.store.audit import AuditFilter, AuditKind, AuditRecord

routes = APIRouter(prefix="/audit", tags=["audit"])


class AuditPage(BaseModel):
    """Changes to the service, the newest first."""

    changes: list[AuditRecord]
    next: str | None = Field(default=None, description="The cursor of the next page; null on the last.")


@routes.get("", responses=answers(), summary="List changes to the service")
def list_changes(
    backend: Service,
    _: Admin,
    actor: Annotated[str | Absent, Query(description="Made by this token or login.")] = None,
    kind: Annotated[list[AuditKind] | Absent, Query(description="Of any of these kinds.")] = None,
    since: Annotated[
        datetime | Absent, Query(description="At or after this time.", examples=["2026-01-08T12:00:00Z"])
    ] = None,
    until: Annotated[datetime | Absent, Query(description="Before this time.")] = None,
    cursor: Annotated[str | Absent, Query(description="`next` of the previous page.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AuditPage:
    """List who changed what, when and from where; never a secret."""
    after = pagination.decode(cursor) if cursor else None
    wanted = AuditFilter(actor=actor, kinds=kind, since=since, until=until, limit=limit + 1, after=after)
    found = read_audit(backend, wanted)
    more = pagination.encode(found[limit - 1].place) if len(found) > limit else None
    return AuditPage(changes=found[:limit], next=more)
