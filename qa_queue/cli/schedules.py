"""Commands for schedules: add, list, show, edit, pause, resume, run, preview, remove."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from qa_queue.cli.options import Json, open_backend, open_changes
from qa_queue.cli.render import Console, plain_table
from qa_queue.cli.schedule_options import given, takes_fields
from qa_queue.errors import InputError
from qa_queue.models import utc_now
from qa_queue.schedules import read_spec
from qa_queue.schedules.display import local_time, timing_text, work_text
from qa_queue.services import Backend
from qa_queue.services import schedules as services
from qa_queue.services.schedules import Preview, preview_of, with_outcomes
from qa_queue.store.schedule_records import ScheduleRecord

Ref = Annotated[str, typer.Argument(metavar="SCHEDULE", help="The schedule's name or id.")]
app = typer.Typer()
schedule = typer.Typer(help="Start cases and jobs at set times.", no_args_is_help=True)
app.add_typer(schedule, name="schedule", rich_help_panel="Runs")


@schedule.command()
@takes_fields
def add(
    name: Annotated[str, typer.Argument(help="The name of the schedule, which must be unique.")],
    as_json: Json = False,
    **values: Any,
) -> None:
    """Start stored cases, or a job of another queue, at set times.

    For example: qa-queue schedule add nightly --tag smoke --cron '30 2 * * mon-fri' --zone Europe/Berlin
    """
    spec = read_spec({"name": name, **given(values)})
    backend = open_backend()
    _print(backend, open_changes(backend).add_schedule(spec), as_json=as_json)


@schedule.command()
@takes_fields
def edit(
    ref: Ref,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    as_json: Json = False,
    **values: Any,
) -> None:
    """Change some fields of a schedule, at once; the word `none` resets one.

    For example, from cron to an interval: qa-queue schedule edit nightly --cron none --every 1h
    """
    changes = given({**values, "name": name})
    if not changes:
        raise InputError("no change is given: `qa-queue schedule edit --help` lists the options.")
    backend = open_backend()
    _print(backend, open_changes(backend).patch_schedule(ref, changes), as_json=as_json)


@schedule.command("list")
def list_schedules(as_json: Json = False) -> None:
    """List schedules, with their next time in their zone and the outcome of the last start."""
    out, backend = Console(), open_backend()
    found = with_outcomes(backend, backend.schedules.list_all())
    if as_json:
        out.print_json(data={"schedules": [row.model_dump(mode="json") for row in found]})
        return
    if not found:
        out.print("No schedules. `qa-queue schedule add --help` shows how to add one.")
        return
    table = plain_table()
    for column in ("Name", "When", "Starts", "Next", "Last"):
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(
            escape(one.name), timing_text(one), escape(work_text(one)), _next(one), one.last_outcome or ""
        )
    out.print(table)


@schedule.command()
def show(ref: Ref, as_json: Json = False) -> None:
    """Show a schedule with its settings and its history."""
    backend = open_backend()
    row = backend.schedules.get(ref)
    _print(backend, row, as_json=as_json)
    if not as_json and row.last_error:
        Console().print(f"[red]last start:[/] {escape(row.last_error)}", soft_wrap=True)


@schedule.command()
def pause(ref: Ref, as_json: Json = False) -> None:
    """Start nothing until it is resumed; running jobs continue."""
    backend = open_backend()
    _print(backend, open_changes(backend).pause_schedule(ref), as_json=as_json)


@schedule.command()
def resume(ref: Ref, as_json: Json = False) -> None:
    """Continue with its next time; those of the pause are not made up for."""
    backend = open_backend()
    _print(backend, open_changes(backend).resume_schedule(ref), as_json=as_json)


@schedule.command()
def run(ref: Ref, as_json: Json = False) -> None:
    """Start a schedule at once, besides its times, also while it is paused."""
    backend = open_backend()
    row = open_changes(backend).run_schedule(ref)
    if row.last_run_id is None:
        raise InputError(f"{row.name} could not be started: {row.last_error}")
    if as_json:
        _print(backend, row, as_json=True)
        return
    Console().print(f"{row.last_run_id}  started by {escape(row.name)}", highlight=False)


@schedule.command()
def preview(
    ref: Annotated[str | None, typer.Argument(metavar="[SCHEDULE]", help="A schedule's name or id.")] = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 5,
    cron: Annotated[str | None, typer.Option(help="Preview this expression instead.")] = None,
    every: Annotated[str | None, typer.Option(help="Preview this interval instead.")] = None,
    zone: Annotated[str, typer.Option(help="The zone of --cron.")] = "UTC",
    as_json: Json = False,
) -> None:
    """Show the next times of a schedule, or of one that is not stored."""
    if (ref is None) == (cron is None and every is None):
        raise InputError("give either a schedule, or --cron or --every.")
    if ref is not None:
        _print_times(services.preview(open_backend(), ref, count), as_json=as_json)
        return
    timing = {name: value for name, value in (("cron", cron), ("every", every)) if value is not None}
    spec = read_spec({"name": "preview", "tag": "preview", "time_zone": zone, **timing})
    _print_times(preview_of(spec, utc_now(), count), as_json=as_json)


@schedule.command()
def remove(ref: Ref, as_json: Json = False) -> None:
    """Delete a schedule; the runs that it started stay, and continue."""
    backend = open_backend()
    row = open_changes(backend).remove_schedule(ref)
    if as_json and row is None:
        Console().print_json(data={"id": ref})
    elif as_json and row is not None:
        _print(backend, row, as_json=True)
    else:
        Console().print(f"{escape(row.name if row else ref)} is removed.", highlight=False)


def _next(row: ScheduleRecord) -> str:
    if row.paused:
        return "[yellow]paused[/]"
    if row.next_run_at is None:
        return "[dim]never[/]"
    return f"{local_time(row, row.next_run_at):%Y-%m-%d %H:%M:%S %z}"


def _print(backend: Backend, row: ScheduleRecord, *, as_json: bool) -> None:
    out = Console()
    shown = with_outcomes(backend, [row])[0].model_dump(mode="json")
    if as_json:
        out.print_json(data=shown)
        return
    table = plain_table()
    table.add_column("Field", no_wrap=True)
    table.add_column(escape(row.name), overflow="fold")
    for name, value in (
        ("when", timing_text(row)),
        ("starts", work_text(row)),
        ("next", _next(row)),
        *shown.items(),
    ):
        if value not in (None, "", [], {}) and name != "name":
            table.add_row(name, value if name == "next" else escape(str(value)))
    out.print(table)


def _print_times(found: Preview, *, as_json: bool) -> None:
    out = Console()
    if as_json:
        out.print_json(data=found.model_dump(mode="json"))
        return
    for moment in found.times:
        out.print(f"{datetime.fromisoformat(moment.local):%a %Y-%m-%d %H:%M:%S %z}", highlight=False)
    if not found.times:
        out.print("It never comes again.")
