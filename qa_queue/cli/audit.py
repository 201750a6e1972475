"""`qa-queue audit`: changes to the service."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from qa_queue.api import pagination
from qa_queue.cli.options import Json, open_backend
from qa_queue.cli.render import Console, plain_table
from qa_queue.errors import InputError
from qa_queue.services.audit import read_audit
from qa_queue.store.audit import AuditFilter, AuditKind, AuditRecord

app = typer.Typer()


@app.command(rich_help_panel="Service")
def audit(
    actor: Annotated[str | None, typer.Option(help="Made by this token or login, or cli:USER@HOST.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Of this kind, as token.create; repeatable.")] = None,
    since: Annotated[datetime | None, typer.Option(help="At or after this time, in UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before this time, in UTC.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="`next` of the previous page, as --json prints it.")] = None,
    as_json: Json = False,
) -> None:
    """List changes to the service: who made them, when, on what, and from which address."""
    out, kinds = Console(), [_kind(name) for name in kind] if kind else None
    after = pagination.decode(cursor) if cursor else None
    wanted = AuditFilter(actor=actor, kinds=kinds, since=since, until=until, limit=limit + 1, after=after)
    found = read_audit(open_backend(), wanted)
    shown, more = found[:limit], len(found) > limit
    if as_json:
        behind = pagination.encode(shown[-1].place) if more else None
        out.print_json(data={"changes": [row.model_dump(mode="json") for row in shown], "next": behind})
    elif shown:
        out.print(_table(shown))
    else:
        out.print("No changes.")


def _kind(name: str) -> AuditKind:
    try:
        return AuditKind(name)
    except ValueError:
        known = ", ".join(kind.value for kind in AuditKind)
        raise InputError(f"--kind {name!r} is not known: choose one of {known}.") from None


def _table(rows: list[AuditRecord]) -> Any:
    table = plain_table()
    for column in ("Time", "Who", "From", "Kind", "What", "Details"):
        table.add_column(column, overflow="fold", no_wrap=column in ("Time", "Kind"))
    for row in rows:
        what = escape(row.object) if row.outcome == "done" else f"{escape(row.object)} [yellow]({row.outcome})[/]"
        details = escape(row.error or json.dumps(row.after or row.before or {}, ensure_ascii=False))
        moment = f"{row.happened_at.astimezone():%m-%d %H:%M:%S}"
        table.add_row(moment, escape(row.actor), row.address or "", row.kind.value, what, details)
    return table
