"""`qa-queue health`: the state of every part of a running service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import typer
from rich.console import Console
from rich.markup import escape

from qa_queue.cli.options import Json, open_backend
from qa_queue.models.outcomes import ExitCode
from qa_queue.monitoring import Health
from qa_queue.monitoring.alerts.conditions import duration_words


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command("health", rich_help_panel="Service")(health)


def health(as_json: Json = False) -> None:
    """Show the state of Redis, Supabase, workers and the scheduler. Exits 3 if Redis or Supabase cannot be used."""
    out = Console()
    found = open_backend(check=False).health_check()
    if as_json:
        out.print_json(data={"ok": found.ok, **asdict(found), "warnings": list(found.warnings)}, default=str)
    else:
        for line in _lines(found):
            out.print(line, soft_wrap=True, highlight=False)
    if not found.ok:
        raise typer.Exit(ExitCode.INFRASTRUCTURE)


def _lines(found: Health) -> Iterator[str]:
    for name, problem in (("redis", found.redis), ("supabase", found.supabase)):
        yield f"[green]ok    [/] {name}" if problem is None else f"[red]broken[/] {name}  {escape(problem)}"
    if found.scheduler is not None:
        alive = found.scheduler.alive
        yield "[green]ok    [/] scheduler" if alive else "[yellow]none  [/] scheduler"
    for queue, workers in found.workers.items():
        age = found.oldest_waiting_s.get(queue)
        waits = f", the oldest job has waited {duration_words(age)}" if age is not None else ""
        mark = "[green]ok    [/]" if workers else "[yellow]none  [/]"
        yield f"{mark} {queue}  {workers} workers{waits}"
    yield from (f"[yellow]note  [/] {escape(warning)}" for warning in found.warnings)
