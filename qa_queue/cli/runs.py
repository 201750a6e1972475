"""Commands that show runs: a list, one run with its steps, the files that it left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from qa_queue.cli.options import Json, Run, open_backend
from qa_queue.cli.render import (
    Console,
    network_text,
    report_json,
    run_list_table,
    runs_table,
    short_id,
    steps_table,
)
from qa_queue.errors import InputError
from qa_queue.errors.validation import count_of
from qa_queue.models import ArtifactKind, RunStatus

if TYPE_CHECKING:
    from qa_queue.services import Backend
    from qa_queue.services.runs import RunReport

PANEL = "Runs"
app = typer.Typer()


@app.command("runs", rich_help_panel=PANEL)
def list_runs(
    status: Annotated[list[str] | None, typer.Option(help="Only runs of this status; may be given again.")] = None,
    case: Annotated[str | None, typer.Option(help="Only runs of the case with this name.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Number of runs, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List runs, the newest first."""
    out, backend = Console(), open_backend(check=False)
    found = backend.store.list_runs(
        case_ids=[_case_id(backend, case)] if case else None,
        statuses=[_status(text) for text in status] if status else None,
        limit=limit,
    )
    if as_json:
        out.print_json(data={"runs": [record.model_dump(mode="json") for record in found]})
        return
    if not found:
        out.print("No runs. `qa-queue run FILE` makes the first.")
        return
    out.print(run_list_table(found, backend.case_names(r.test_case_id for r in found), width=out.width))


def _case_id(backend: Backend, ref: str) -> str:
    from qa_queue.services.cases import find_case

    return find_case(backend, ref).id


def _status(text: str) -> RunStatus:
    word = {"passed": "completed"}.get(text, text.replace("-", "_"))
    try:
        return RunStatus(word)
    except ValueError:
        known = ", ".join(s.value for s in RunStatus)
        raise InputError(f"--status {text!r} is not known: choose one of {known}.") from None


@app.command(rich_help_panel=PANEL)
def show(run_id: Run, as_json: Json = False) -> None:
    """Show a run with its steps and its evidence."""
    out, backend = Console(), open_backend()
    from qa_queue.services.runs import reports_of

    (report,) = reports_of(backend, [backend.find_run(run_id).id])
    if as_json:
        steps = [step.model_dump(mode="json") for step in report.steps]
        out.print_json(data={**report_json(report), "steps": steps})
        return
    out.print(runs_table([report]))
    if report.steps:
        out.print(steps_table(report.steps))
    _print_waiting(report, out)
    if report.run.seed:
        out.print(f"seed: {report.run.seed}", highlight=False)
    if report.run.network:
        out.print(f"network: {network_text(report.run.network)}", highlight=False)
    if report.run.trace_id:
        out.print(f"trace: {report.run.trace_id}", highlight=False)
    if report.run.pinned:
        out.print("pinned: no cleanup deletes it")
    for artifact in report.artifacts:
        place = report.files.place_of(artifact.path)
        out.print(f"{artifact.kind.value}: {place}", soft_wrap=True, highlight=False)
    _print_trace(report, out)


def _print_waiting(report: RunReport, out: Console) -> None:
    """Print how to follow a run that has not ended, and how to find what a waiting one waits for."""
    if report.run.status.final:
        return
    run_id = short_id(report.run.id)
    if report.run.status is RunStatus.QUEUED:
        out.print(f"Its place in the queue: [cyan]qa-queue place {run_id}[/]", soft_wrap=True, highlight=False)
    out.print(f"Follow it: [cyan]qa-queue watch {run_id}[/]", soft_wrap=True, highlight=False)


def _print_trace(report: RunReport, out: Console) -> None:
    if report.places(ArtifactKind.TRACE) and not report.run.status.good:
        out.print(f"Open the trace: [cyan]qa-queue trace {short_id(report.run.id)}[/]", soft_wrap=True)


@app.command(rich_help_panel=PANEL)
def artifacts(
    run_id: Run,
    as_json: Json = False,
    save: Annotated[Path | None, typer.Option(help="Copy the files into this folder.", metavar="FOLDER")] = None,
) -> None:
    """List the files that a run left, with their paths; --save copies them, from another machine too."""
    out, backend = Console(), open_backend()
    run, files = backend.find_run(run_id), backend.artifacts
    found = backend.store.list_artifacts([run.id])
    if save:
        from qa_queue.store.artifacts import save_artifacts

        missing = save_artifacts(files, found, save)
        for one in missing:
            out.print(f"[red]missing[/] {escape(files.place_of(one.path))}", soft_wrap=True, highlight=False)
        out.print(
            f"Saved {count_of(len(found) - len(missing), 'file')} in {save}.", soft_wrap=True, highlight=False
        )
        return
    if as_json:
        rows = [{**one.model_dump(mode="json"), "file": files.place_of(one.path)} for one in found]
        out.print_json(data={"artifacts": rows})
        return
    for one in found:
        out.print(f"{one.kind.value}: {files.place_of(one.path)}", soft_wrap=True, highlight=False)
    if not found:
        out.print("It left no files.")
