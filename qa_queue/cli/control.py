"""Commands that change runs or ask for their place: cancel, rerun, pin, unpin, place."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from qa_queue.cli.options import Env, Json, Run, open_backend, open_changes, parse_env
from qa_queue.cli.render import Console, print_result, print_submitted
from qa_queue.errors.validation import count_of
from qa_queue.models.outcomes import ExitCode
from qa_queue.queues.cancellation import CancelOutcome
from qa_queue.services.runs import run_ids_by_ref
from qa_queue.services.submission import rerun_runs

PANEL = "Runs"
Runs = Annotated[list[str], typer.Argument(metavar="RUN...", help="The runs' ids, or their beginnings.")]
RunsOrBatches = Annotated[
    list[str], typer.Argument(metavar="RUN|BATCH...", help="The ids of runs or batches, or their beginnings.")
]

app = typer.Typer()
_CANCEL_WORDS = {
    CancelOutcome.REMOVED: "cancelled before it started",
    CancelOutcome.SIGNALLED: "asked to stop",
    CancelOutcome.ALREADY_FINISHED: "had already ended",
    CancelOutcome.UNKNOWN: "is not on any queue",
}


@app.command(rich_help_panel=PANEL)
def cancel(run_ids: Runs, as_json: Json = False) -> None:
    """Cancel runs that wait or run."""
    out, backend = Console(), open_backend()
    outcomes = open_changes(backend).cancel_runs([backend.find_run(ref).id for ref in run_ids])
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
    backend = open_backend()
    ids = [backend.find_run(ref).id for ref in run_ids]
    found = rerun_runs(backend, ids, env=parse_env(env), only_failed=only_failed)
    out = Console()
    if not found and not as_json:
        out.print("None of them failed.")
        return
    print_submitted(found, out, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def pin(refs: RunsOrBatches, as_json: Json = False) -> None:
    """Keep runs, or all runs of a batch, with their files: no cleanup deletes them."""
    _pin(refs, pinned=True, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def unpin(refs: RunsOrBatches, as_json: Json = False) -> None:
    """Let the cleanup delete runs, or all runs of a batch, again."""
    _pin(refs, pinned=False, as_json=as_json)


def _pin(refs: list[str], *, pinned: bool, as_json: bool) -> None:
    backend = open_backend()
    found = {run_id: None for ref in refs for run_id in run_ids_by_ref(backend, ref)}
    open_changes(backend).pin_runs(list(found), pinned=pinned)
    what = "kept by cleanups" if pinned else "no longer kept by cleanups"
    print_result(
        {"run_ids": list(found), "pinned": pinned}, f"{count_of(len(found), 'run')} {what}.", as_json=as_json
    )


@app.command(rich_help_panel=PANEL)
def place(run_id: Run, as_json: Json = False) -> None:
    """Show the place of a waiting run in its queue, and about when it will start."""
    out, backend = Console(), open_backend()
    found = backend.queues.get_position(backend.find_run(run_id).id)
    starts = found.starts_at
    if as_json:
        out.print_json(data=asdict(found) | {"starts_at": starts.isoformat() if starts else None})
        return
    where = f"position {found.position}" if found.position else "delayed, not in the order yet"
    if backend.queues.get_queue_stats(found.queue)[found.queue].paused:
        where += " (the queue is paused)"
    why = " (a limit holds it back)" if found.limited else ""
    when = f"; it starts about {starts.astimezone():%H:%M:%S}" if starts else ""
    out.print(f"{escape(found.queue)}: {where}{why}{when}", highlight=False)
