"""Commands on queues: count their jobs, pause, resume and clean them, and limit sites and users."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, cast

import typer
from rich.markup import escape

from qa_queue.cli.options import Json, open_backend, open_changes
from qa_queue.cli.render import Console, plain_table, print_result
from qa_queue.errors.validation import count_of
from qa_queue.queues.limits import LimitRule
from qa_queue.queues.retention import CleanKind

PANEL = "Queues"
Queue = Annotated[str, typer.Argument(help="The queue's name.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="site:HOST or user:ID; * limits each of them separately.")]

app = typer.Typer()
limits = typer.Typer(help="Limit concurrent runs and starts per minute, by site or user.", no_args_is_help=True)
app.add_typer(limits, name="limits", rich_help_panel=PANEL)


@app.command(rich_help_panel=PANEL)
def stats(
    queue: Annotated[str | None, typer.Argument(help="One queue; without it, all.")] = None, as_json: Json = False
) -> None:
    """Show the number of jobs on the queues."""
    found = open_backend(check=False).queues.get_queue_stats(queue)
    if as_json:
        figures = {name: {**asdict(one), "dlq": one.dlq, "total": one.total} for name, one in found.items()}
        Console().print_json(data={"queues": figures})
        return
    table = plain_table()
    table.add_column("Queue", no_wrap=True)
    columns = ("waiting", "processing", "delayed", "completed", "failed", "workers")
    for column in columns:
        table.add_column(column, justify="right")
    for name, one in found.items():
        table.add_row(
            f"{name} [yellow](paused)[/]" if one.paused else name,
            *(str(getattr(one, column)) for column in columns),
        )
    Console().print(table)


@app.command(rich_help_panel=PANEL)
def pause(queue: Queue, as_json: Json = False) -> None:
    """Take no more jobs from a queue. Its workers stay, and running jobs continue."""
    changed = open_changes(open_backend(check=False)).pause_queue(queue)
    text = f"{queue} is paused." if changed else f"{queue} was paused already."
    print_result({"queue": queue, "paused": True, "changed": changed}, text, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def resume(queue: Queue, as_json: Json = False) -> None:
    """Take jobs from a paused queue again, at once."""
    changed = open_changes(open_backend(check=False)).resume_queue(queue)
    text = f"{queue} is resumed." if changed else f"{queue} was not paused."
    print_result({"queue": queue, "paused": False, "changed": changed}, text, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def clean(
    queue: Queue,
    grace: Annotated[int, typer.Option(min=0, help="Keep jobs that ended within this many seconds.")] = 3600,
    limit: Annotated[int, typer.Option(min=1, help="Delete at most this many.")] = 1000,
    kind: Annotated[str, typer.Option(help="completed, failed (dead letters) or cancelled.")] = "completed",
    as_json: Json = False,
) -> None:
    """Delete ended jobs of a queue from Redis. Runs in Supabase stay; `cleanup` deletes those."""
    deleted = open_changes(open_backend(check=False)).clean_queue(queue, grace * 1000, limit, cast(CleanKind, kind))
    print_result(
        {"deleted": deleted}, f"Deleted {count_of(len(deleted), f'{kind} job')} of {queue}.", as_json=as_json
    )


@limits.command("list")
def list_limits(as_json: Json = False) -> None:
    """List every limit."""
    out, rules = Console(), open_backend(check=False).limits.rules()
    if as_json:
        out.print_json(data={"limits": [{"key": key, **asdict(rule)} for key, rule in rules.items()]})
        return
    if not rules:
        out.print("No limits. `qa-queue limits set site:shop.example --at-once 2` sets one.")
        return
    table = plain_table()
    for column in ("Key", "At once", "A minute"):
        table.add_column(column, justify="left" if column == "Key" else "right")
    for key, rule in rules.items():
        table.add_row(escape(key), *(str(number or "") for number in (rule.at_once, rule.a_minute)))
    out.print(table)


@limits.command("set")
def set_limit(
    key: Key,
    at_once: Annotated[int | None, typer.Option(help="Concurrent runs.")] = None,
    a_minute: Annotated[int | None, typer.Option(help="Starts in any 60 s.")] = None,
    as_json: Json = False,
) -> None:
    """Set the limit of a site or a user; it applies from the next job that is taken."""
    rule = LimitRule(at_once=at_once, a_minute=a_minute)
    open_changes(open_backend(check=False)).set_limit(key, rule)
    print_result({"key": key, **asdict(rule)}, f"{key}  limited", as_json=as_json)


@limits.command("remove")
def remove_limit(key: Key, as_json: Json = False) -> None:
    """Remove a limit; jobs that it held back may start at once."""
    open_changes(open_backend(check=False)).remove_limit(key)
    print_result({"key": key}, f"{key}  no longer limited", as_json=as_json)
