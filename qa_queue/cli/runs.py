"""Commands on runs that exist: list, show, cancel and rerun them, and find their place and files."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from qa_queue.cli.options import Env, Json, open_backend, parse_env
from qa_queue.cli.render import Console, report_json, run_list_table, runs_table, steps_table
from qa_queue.cli.run import print_submitted
from qa_queue.errors import InputError
from qa_queue.models import ArtifactKind, RunStatus
from qa_queue.models.outcomes import ExitCode
from qa_queue.queues.cancellation import CancelOutcome
from qa_queue.services.cases import find_case
from qa_queue.services.runs import RunReport, reports_of
from qa_queue.services.submission import rerun_runs

PANEL = "Runs"
Run = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
Runs = Annotated[list[str], typer.Argument(metavar="RUN...", help="The runs' ids.")]
app = typer.Typer()
_CANCEL_WORDS = {
    CancelOutcome.REMOVED: "cancelled before it started",
    CancelOutcome.SIGNALLED: "asked to stop",
    CancelOutcome.ALREADY_FINISHED: "had already ended",
    CancelOutcome.UNKNOWN: "is not on any queue",
}


@app.command("runs", rich_help_panel=PANEL)
def list_runs(
    status: Annotated[list[str] | None, typer.Option(help="Only runs of this status; may be given again.")] = None,
    case: Annotated[str | None, typer.Option(help="Only runs of the case with this name.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Number of runs, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List runs, the newest first."""
    out, backend = Console(), open_backend()
    found = backend.store.list_runs(
        case_id=find_case(backend, case).id if case else None,
        statuses=[_status(text) for text in status] if status else None,
        limit=limit,
    )
    if as_json:
        out.print_json(data={"runs": [record.model_dump(mode="json") for record in found]})
        return
    if not found:
        out.print("No runs. `qa-queue run FILE` makes the first.")
        return
    out.print(run_list_table(found, backend.case_names(r.test_case_id for r in found)))


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
    (report,) = reports_of(backend, [backend.run(run_id).id])
    if as_json:
        steps = [step.model_dump(mode="json") for step in report.steps]
        out.print_json(data={**report_json(report), "steps": steps})
        return
    out.print(runs_table([report], width=out.width))
    out.print(steps_table(report.steps))
    for artifact in report.artifacts:
        out.print(f"{artifact.kind.value}: {report.artifacts_dir / artifact.path}", soft_wrap=True, highlight=False)
    _print_trace(report, out)


def _print_trace(report: RunReport, out: Console) -> None:
    traces = [report.artifacts_dir / one.path for one in report.artifacts if one.kind is ArtifactKind.TRACE]
    if traces and not report.run.status.good:
        out.print(f"[dim]Open the trace with: playwright show-trace {traces[-1]}[/]", soft_wrap=True)


@app.command(rich_help_panel=PANEL)
def cancel(run_ids: Runs, as_json: Json = False) -> None:
    """Cancel runs that wait or run."""
    out, backend = Console(), open_backend()
    outcomes = backend.cancel(run_ids, "cancelled from the command line")
    if as_json:
        out.print_json(data={"runs": [{"run_id": r, "outcome": o.value} for r, o in outcomes.items()]})
    else:
        for run_id, outcome in outcomes.items():
            out.print(f"{run_id}  {_CANCEL_WORDS[outcome]}", highlight=False)
    if CancelOutcome.UNKNOWN in outcomes.values():
        raise typer.Exit(ExitCode.BAD_INPUT)


@app.command(rich_help_panel=PANEL)
def rerun(
    run_ids: Runs,
    only_failed: Annotated[bool, typer.Option("--only-failed", help="Leave out those that did not fail.")] = False,
    env: Env = None,
    as_json: Json = False,
) -> None:
    """Run cases of earlier runs again, all or none, on the same hosts; the cases are taken as they are now."""
    found = rerun_runs(open_backend(), run_ids, env=parse_env(env), only_failed=only_failed)
    out = Console()
    if not found and not as_json:
        out.print("None of them failed.")
        return
    print_submitted(found, out, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def place(run_id: Run, as_json: Json = False) -> None:
    """Show the place of a waiting run in its queue, and about when it will start."""
    out, backend = Console(), open_backend()
    found = backend.queues.get_position(backend.run(run_id).id)
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


@app.command(rich_help_panel=PANEL)
def artifacts(run_id: Run, as_json: Json = False) -> None:
    """List the files that a run left, with their paths."""
    out, backend = Console(), open_backend()
    found = backend.store.list_artifacts([backend.run(run_id).id])
    folder = backend.settings.artifacts_dir
    if as_json:
        rows = [{**one.model_dump(mode="json"), "file": str(folder / one.path)} for one in found]
        out.print_json(data={"artifacts": rows})
        return
    for one in found:
        out.print(f"{one.kind.value}: {folder / one.path}", soft_wrap=True, highlight=False)
    if not found:
        out.print("It left no files.")
