"""`qa-queue events`: what happens on the queues."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from qa_queue.cli.options import Json, open_backend
from qa_queue.errors import InputError
from qa_queue.extensions import known_queue
from qa_queue.queues.events import FROM_START, KINDS, EventStream, QueueEvent

PANEL = "Queues"
_ID = re.compile(r"\d{1,15}(-\d{1,15})?")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("events", rich_help_panel=PANEL)(events)


def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    queue: Annotated[str | None, typer.Option(help="Of this queue only.")] = None,
    event: Annotated[list[str] | None, typer.Option(help=f"{', '.join(KINDS)}; may be given again.")] = None,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Only what came behind this event.")] = None,
    timeout: Annotated[float | None, typer.Option(min=0, help="Follow for at most so many seconds.")] = None,
    as_json: Json = False,
) -> None:
    """Show what happened on the queues, of which the newest 20 000 events are kept; with --follow, what happens."""
    unknown = sorted(set(event or ()) - set(KINDS))
    if unknown:
        raise InputError(f"--event {unknown[0]!r} is not known: choose one of {', '.join(KINDS)}.")
    if after is not None and not _ID.fullmatch(after):
        raise InputError(f"--after {after!r} is no event: take the `id` of one, such as 1767873600000-0.")
    name = known_queue(queue) if queue is not None else None
    out = Console()
    stream = open_backend(check=False).events
    kinds = event or KINDS
    for one in (
        stream.follow(from_id=after, kinds=kinds, queue=name, timeout=timeout)
        if follow
        else _past(stream, after or FROM_START, kinds, name)
    ):
        if as_json:
            typer.echo(json.dumps(as_line(one)))
        else:
            out.print(_line(one), highlight=False, soft_wrap=True)


def _past(stream: EventStream, after: str, kinds: Collection[str], queue: str | None) -> Iterator[QueueEvent]:
    """Every event behind this one that is there already."""
    page = stream.page(after, kinds=kinds, queue=queue)
    while page.last_id != after:
        yield from page.events
        after = page.last_id
        page = stream.page(after, kinds=kinds, queue=queue)


def as_line(event: QueueEvent) -> dict[str, object]:
    """An event for programs; `id` is what `--after` takes."""
    return {
        "id": event.id,
        "event": event.kind,
        "queue": event.queue,
        "job_id": event.job_id,
        "at": event.at.isoformat(),
        "data": event.data,
    }


def _line(event: QueueEvent) -> str:
    data = escape(json.dumps(event.data)) if event.data else ""
    return (
        f"{event.at.astimezone():%H:%M:%S}  {event.kind:<9}  {escape(event.queue)}  {event.job_id}  [dim]{data}[/]"
    )
