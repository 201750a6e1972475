"""Commands that go back to runs: rerun, place, artifacts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from qa_queue.cli import submit
from qa_queue.cli.runs import Json, say_submitted
from qa_queue.cli.service import open_service
from qa_queue.producer import JobProducer
from qa_queue.producer.rerun import rerun_request, worth_again

PANEL = "Runs"
Run = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for name, command in (("rerun", rerun), ("place", place), ("artifacts", artifacts)):
        app.command(name, rich_help_panel=PANEL)(command)


def rerun(
    run_ids: Annotated[list[str], typer.Argument(metavar="RUN...", help="The runs' ids.")],
    only_failed: Annotated[bool, typer.Option("--only-failed", help="Leave out those that did not fail.")] = False,
    env: Annotated[list[str] | None, typer.Option(help="A value for ${env.NAME}, as NAME=VALUE.")] = None,
    as_json: Json = False,
) -> None:
    """Make runs again, all or none, on the same hosts; their cases are taken as they are now."""
    out, service = Console(), open_service()
    values = submit.parse_env(env or ())
    runs = [run for run in map(service.run, run_ids) if worth_again(run) or not only_failed]
    requests = [rerun_request(service.redis, service.store, run, run.user_id, values) for run in runs]
    found = JobProducer(service.redis, service.store, service.settings).submit(requests) if requests else ()
    if not found and not as_json:
        out.print("None of them failed.")
        return
    say_submitted(found, out, as_json=as_json)


def place(run_id: Run, as_json: Json = False) -> None:
    """Say where a waiting run stands in its queue, and about when it will start."""
    out, service = Console(), open_service()
    found = service.queues.get_place(service.run(run_id).id)
    starts = found.starts_at
    if as_json:
        out.print_json(data=asdict(found) | {"starts_at": starts.isoformat() if starts else None})
        return
    where = (
        f"number {found.position} of {found.queue}" if found.position else f"not in the order of {found.queue} yet"
    )
    why = " (a limit holds it back)" if found.limited else ""
    when = f"; it starts about {starts.astimezone():%H:%M:%S}" if starts else ""
    out.print(f"{escape(found.queue)}: {where}{why}{when}", highlight=False)


def artifacts(run_id: Run, as_json: Json = False) -> None:
    """List the files that a run left, with where they are."""
    out, service = Console(), open_service()
    found = service.store.list_artifacts([service.run(run_id).id])
    folder = service.settings.artifacts_dir
    if as_json:
        rows = [{**one.model_dump(mode="json"), "file": str(folder / one.path)} for one in found]
        out.print_json(data={"artifacts": rows})
        return
    for one in found:
        out.print(f"{one.kind.value}: {folder / one.path}", soft_wrap=True, highlight=False)
    if not found:
        out.print("It left no files.")
