"""Commands that set up and run the service on this machine."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from qa_queue.cli.options import Json, open_settings
from qa_queue.cli.render import Console
from qa_queue.errors import InputError
from qa_queue.local.doctor import diagnose
from qa_queue.local.files import BUNDLE
from qa_queue.local.migrations import migration_files, migration_folders
from qa_queue.local.project import script_of
from qa_queue.local.stack import migrate as migrate_database
from qa_queue.local.starter import write_starter
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
def migrate(
    print_only: Annotated[bool, typer.Option("--print", help="Print the SQL for an SQL editor.")] = False,
) -> None:
    """Bring the database's tables up to date: the embedded one, a linked project, or that of SUPABASE_DB_URL."""
    if print_only:
        typer.echo(script_of(migration_files(migration_folders())))
        return
    out = Console()
    for line in migrate_database(open_settings(), out.print):
        out.print(escape(line), soft_wrap=True)


@app.command(rich_help_panel=PANEL)
def init(
    folder: Annotated[Path, typer.Argument(help="The folder to write to.")] = Path(),
) -> None:
    """Write a starter into a folder: a case, a Procfile, and the settings as comments. Existing files are kept."""
    from qa_queue.cases.schema import schema_text

    out = Console()
    for path, written in write_starter(folder, schema_text() + "\n"):
        out.print(f"  {'[green]created[/]' if written else '[dim]kept   [/]'}  {escape(str(path))}")
    out.print("\nNext, start the service in one terminal and run the case in another:")
    out.print("  [cyan]qa-queue up[/]\n  [cyan]qa-queue run cases/first.yaml --wait[/]")


@app.command(rich_help_panel=PANEL)
def install() -> None:
    """Install what is missing: Supabase Lite, Redis, a browser. Exits 3 if something could not be installed."""
    from qa_queue.local.install import main as install_missing

    raise typer.Exit(install_missing())


@app.command(rich_help_panel=PANEL)
def shop(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 is a free one.")] = 8080,
) -> None:
    """Serve the example shop, the site that the tutorial tests, until Ctrl-C."""
    os.chdir(BUNDLE)
    os.execv(sys.executable, [sys.executable, "-m", "examples.shop", "--port", str(port)])  # noqa: S606 - our own


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
