"""Commands of the operator: stats, doctor, migrate, up, web, dashboard, cleanup, learn."""

from __future__ import annotations

import time
from dataclasses import asdict
from importlib import import_module
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from qa_queue.api import dashboard as rq_dashboard
from qa_queue.cli.options import Json, open_backend, open_settings
from qa_queue.cli.render import plain_table
from qa_queue.errors import InputError
from qa_queue.local import doctor as local_doctor
from qa_queue.local import stack as local_stack
from qa_queue.local.diagnosis import Diagnosis
from qa_queue.models import CleanupJobData, LearningJobData
from qa_queue.models.outcomes import ExitCode

_MARKS = {"ok": "[green]ok     [/]", "missing": "[yellow]missing[/]", "broken": "[red]broken [/]"}


PANEL = "Service"


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for name, command in (
        ("stats", stats),
        ("up", up),
        ("doctor", doctor),
        ("migrate", migrate),
        ("web", web),
        ("dashboard", dashboard),
        ("cleanup", cleanup),
        ("learn", learn),
    ):
        app.command(name, rich_help_panel=PANEL)(command)


def stats(
    queue: Annotated[str | None, typer.Argument(help="One queue; without it, all.")] = None, as_json: Json = False
) -> None:
    """Show what is on the queues."""
    out = Console()
    found = open_backend(check=False).queues.get_queue_stats(queue)
    if as_json:
        figures = {name: {**asdict(one), "dlq": one.dlq, "total": one.total} for name, one in found.items()}
        out.print_json(data={"queues": figures})
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
    out.print(table)


def up() -> None:
    """Start the whole service and stay: Redis and Supabase where none are set, then the Procfile's lines."""
    up_room = _extra("qa_queue.local.up", "up")
    raise typer.Exit(up_room.up(open_settings()))


def doctor(
    wait: Annotated[float, typer.Option(min=0, help="Look again for so many seconds until all is well.")] = 0,
    as_json: Json = False,
) -> None:
    """Say what was found, what is missing, and the one command that mends it. Exits 3 if something is broken."""
    out = Console()
    findings = _findings_within(wait)
    if as_json:
        out.print_json(data={"findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            out.print(f"{_MARKS[finding.status]} [bold]{finding.part}[/]  {escape(finding.found)}", soft_wrap=True)
            if finding.fix:
                out.print(f"        to fix: [cyan]{escape(finding.fix)}[/]", soft_wrap=True)
    if any(finding.status != "ok" for finding in findings):
        raise typer.Exit(ExitCode.INFRASTRUCTURE)


def _findings_within(seconds: float) -> list[Diagnosis]:
    """What was found last: when all was well, or when the time was up."""
    deadline = time.monotonic() + seconds
    while True:
        findings = local_doctor.diagnose(open_settings())
        if all(finding.status == "ok" for finding in findings) or time.monotonic() >= deadline:
            return findings
        time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))


def _extra(module: str, extra: str) -> Any:
    """A room that stands on an extra's packages, which other commands neither need nor pay for.

    Raises:
        InputError: the extra is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(
            f"the package {error.name} is missing: this command needs the extra, `pip install 'qa-queue[{extra}]'`."
        ) from error


def migrate() -> None:
    """Bring the database's tables up to date."""
    out = Console()
    for line in local_stack.migrate(open_settings()):
        out.print(escape(line), soft_wrap=True)


def web() -> None:
    """Serve the service's own pages on 127.0.0.1."""
    _extra("qa_queue.api.app", "api").serve(open_settings())


def dashboard() -> None:
    """Serve rq-dashboard on 127.0.0.1, behind a password."""
    rq_dashboard.serve(open_settings())


def cleanup(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    keep_days: Annotated[int | None, typer.Option(min=0, help="Days that good runs are kept.")] = None,
    keep_failed_days: Annotated[int | None, typer.Option(min=0, help="Days that failed runs are kept.")] = None,
    as_json: Json = False,
) -> None:
    """Put a clean-up on its queue: runs, steps and files past their time are deleted."""
    data = CleanupJobData(dry_run=dry_run, keep_days=keep_days, keep_failed_days=keep_failed_days)
    backend = open_backend()
    job_id = backend.producer.submit_cleanup(data)
    _say_job(job_id, "cleanup", as_json=as_json)


def learn(
    case: Annotated[list[str] | None, typer.Option(help="Only the case with this id; may be given again.")] = None,
    as_json: Json = False,
) -> None:
    """Put a learning job on its queue: reliability, flake rate and which locators really match."""
    backend = open_backend()
    data = LearningJobData(test_case_ids=tuple(case) if case else None)
    job_id = backend.producer.submit_learning(data)
    _say_job(job_id, "adaptation-learning", as_json=as_json)


def _say_job(job_id: str, queue: str, *, as_json: bool) -> None:
    if as_json:
        Console().print_json(data={"job_id": job_id, "queue": queue})
    else:
        Console().print(f"{job_id}  on the queue '{queue}'", highlight=False)
