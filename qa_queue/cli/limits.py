"""`qa-queue limits`: at most so many runs at once, and so many starts a minute, for a site or a user."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from qa_queue.cli.options import Json, open_backend
from qa_queue.cli.render import plain_table
from qa_queue.errors import NotFoundError
from qa_queue.queues.limits import LimitRule

PANEL = "Queues"
Key = Annotated[str, typer.Argument(metavar="KEY", help="site:HOST or user:ID; a star for each by itself.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    group = typer.Typer(help="Limit runs at once and starts a minute, by site or user.", no_args_is_help=True)
    for name, command in (("list", list_limits), ("set", set_limit), ("remove", remove)):
        group.command(name)(command)
    app.add_typer(group, name="limits", rich_help_panel=PANEL)


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


def set_limit(
    key: Key,
    at_once: Annotated[int | None, typer.Option(help="Runs at once.")] = None,
    a_minute: Annotated[int | None, typer.Option(help="Starts in any 60 s.")] = None,
    as_json: Json = False,
) -> None:
    """Set the limit of a site or a user; it counts from the next job that is taken."""
    rule = LimitRule(at_once=at_once, a_minute=a_minute)
    open_backend(check=False).limits.put(key, rule)
    out = Console()
    if as_json:
        out.print_json(data={"key": key, **asdict(rule)})
    else:
        out.print(f"{escape(key)}  limited", highlight=False)


def remove(key: Key, as_json: Json = False) -> None:
    """Remove a limit; what it held up may start at once."""
    if not open_backend(check=False).limits.remove(key):
        raise NotFoundError(f"there is no limit for {key!r}: `qa-queue limits list` has those that there are.")
    out = Console()
    if as_json:
        out.print_json(data={"key": key})
    else:
        out.print(f"{escape(key)}  no longer limited", highlight=False)
