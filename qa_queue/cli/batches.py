"""`qa-queue batch`: runs that were submitted together, listed, cancelled and rerun as one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.markup import escape

from qa_queue.cli.options import Json, open_backend, open_changes, parse_env
from qa_queue.cli.render import Console, counts_text, plain_table, print_submitted, run_list_table
from qa_queue.models.outcomes import BatchVerdict
from qa_queue.queues.batches import BatchSummary, BatchView
from qa_queue.services.submission import rerun_batch

app = typer.Typer()
batch = typer.Typer(help="Runs that were submitted together: list, show, cancel, rerun.", no_args_is_help=True)
app.add_typer(batch, name="batch", rich_help_panel="Runs")

Id = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id, or its beginning.")]
_COLOURS = {
    BatchVerdict.PASSED: "green",
    BatchVerdict.FLAKY: "yellow",
    BatchVerdict.FAILED: "red",
    BatchVerdict.BROKEN: "bold red",
    BatchVerdict.CANCELLED: "magenta",
    BatchVerdict.RUNNING: "cyan",
}


@batch.command("list")
def list_batches(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Number of batches, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List batches, the newest first."""
    out, backend = Console(), open_backend()
    found = backend.batches.newest(limit=limit)
    if as_json:
        out.print_json(data={"batches": [_as_json(one) for one in found]})
        return
    if not found:
        out.print("No batches. `qa-queue run FILE...` makes one of several cases.")
        return
    table = plain_table()
    for column in ("Batch", "Verdict", "Ended", "Flaky", "Queued"):
        table.add_column(column, no_wrap=True)
    for one in found:
        ended, queued = f"{one.ended}/{one.total}", f"{one.queued_at.astimezone():%m-%d %H:%M:%S}"
        table.add_row(one.id, _verdict(one.verdict), ended, str(one.flaky or ""), queued)
    out.print(table)


@batch.command()
def show(batch_id: Id, as_json: Json = False) -> None:
    """Show a batch: its verdict, its progress and its runs."""
    out, backend = Console(), open_backend()
    batch_id = backend.find_batch_id(batch_id)
    view, runs = backend.batches.view(batch_id), backend.batches.runs(batch_id)
    if as_json:
        out.print_json(data=_as_json(view))
        return
    ended = f"{view.ended} of {view.total} ended: {counts_text(runs)}"
    out.print(f"{_verdict(view.verdict)}  {view.percentage} %  {ended}")
    names = backend.case_names({run.test_case_id for run in runs})
    out.print(run_list_table(runs, names, width=out.width, errors=True))


@batch.command()
def cancel(batch_id: Id, as_json: Json = False) -> None:
    """Cancel every run of a batch that has not ended."""
    out, backend = Console(), open_backend()
    batch_id = backend.find_batch_id(batch_id)
    outcomes = open_changes(backend).cancel_batch(batch_id)
    if as_json:
        out.print_json(data={"batch_id": batch_id, "outcomes": {run: one.value for run, one in outcomes.items()}})
        return
    for run_id, outcome in outcomes.items():
        out.print(f"{run_id}  {outcome.value.replace('_', ' ')}", highlight=False)
    if not outcomes:
        out.print("All of its runs had ended already.")


@batch.command()
def rerun(
    batch_id: Id,
    everything: Annotated[bool, typer.Option("--all", help="Those that ended well too.")] = False,
    env: Annotated[list[str] | None, typer.Option(help="A value for ${env.NAME}, as NAME=VALUE.")] = None,
    as_json: Json = False,
) -> None:
    """Run the failed runs of a batch again, as a new batch; the cases are taken as they are now."""
    out, backend = Console(), open_backend()
    batch = rerun_batch(backend, backend.find_batch_id(batch_id), env=parse_env(env), only_failed=not everything)
    print_submitted(batch.runs, out, as_json=as_json, batch_id=batch.id)


def _verdict(verdict: BatchVerdict) -> str:
    return f"[{_COLOURS[verdict]}]{escape(verdict.value)}[/]"


def _as_json(batch: BatchSummary | BatchView) -> dict[str, Any]:
    return asdict(batch) | {
        "counts": {status.value: number for status, number in batch.counts.items()},
        "queued_at": batch.queued_at.isoformat(),
        "finished_at": batch.finished_at.isoformat() if batch.finished_at else None,
    }
