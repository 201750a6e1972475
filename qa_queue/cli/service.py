"""Commands that run the service on this machine: up, doctor, migrate, web, dashboard."""

from __future__ import annotations

import time
from dataclasses import asdict
from importlib import import_module
from typing import Annotated, Any

import typer
from rich.markup import escape

from qa_queue.cli.options import Json, open_settings
from qa_queue.cli.render import Console
from qa_queue.errors import InputError
from qa_queue.local.doctor import diagnose
from qa_queue.local.stack import migrate as migrate_database
from qa_queue.models.outcomes import ExitCode

PANEL = "Service"
_MARKS = {"ok": "[green]ok     [/]", "missing": "[yellow]missing[/]", "broken": "[red]broken [/]"}

app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def up() -> None:
    """Start the whole service and stay: Redis and Supabase unless they are set, then the Procfile's lines."""
    raise typer.Exit(_extra("qa_queue.local.up", "up").up(open_settings()))


@app.command(rich_help_panel=PANEL)
def doctor(
    wait: Annotated[float, typer.Option(min=0, help="Repeat for this many seconds until everything is ok.")] = 0,
    as_json: Json = False,
) -> None:
    """Show the state of every part, and the command that fixes it. Exits 3 if something is broken or missing."""
    out, deadline = Console(), time.monotonic() + wait
    found = diagnose(open_settings())
    while any(one.status != "ok" for one in found) and time.monotonic() < deadline:
        time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))
        found = diagnose(open_settings())
    if as_json:
        out.print_json(data={"findings": [asdict(one) for one in found]})
    else:
        for one in found:
            out.print(f"{_MARKS[one.status]} [bold]{one.part}[/]  {escape(one.found)}", soft_wrap=True)
            if one.fix:
                out.print(f"        to fix: [cyan]{escape(one.fix)}[/]", soft_wrap=True)
    if any(one.status != "ok" for one in found):
        raise typer.Exit(ExitCode.INFRASTRUCTURE)


@app.command(rich_help_panel=PANEL)
def migrate() -> None:
    """Bring the database's tables up to date."""
    out = Console()
    for line in migrate_database(open_settings()):
        out.print(escape(line), soft_wrap=True)


@app.command(rich_help_panel=PANEL)
def web() -> None:
    """Serve the API and the service's own pages on 127.0.0.1."""
    _extra("qa_queue.api.app", "api").serve(open_settings())


@app.command(rich_help_panel=PANEL)
def dashboard() -> None:
    """Serve rq-dashboard on 127.0.0.1, behind a password."""
    import_module("qa_queue.api.dashboard").serve(open_settings())


def _extra(module: str, extra: str) -> Any:
    """Return a module that needs the packages of an extra.

    Raises:
        InputError: the extra is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(
            f"the package {error.name} is missing: this command needs the extra, `pip install 'qa-queue[{extra}]'`."
        ) from error
