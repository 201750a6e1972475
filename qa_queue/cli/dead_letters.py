"""`qa-queue dlq`: list dead letters, requeue them, or discard them."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from qa_queue.cli.options import Json, open_backend, open_changes
from qa_queue.cli.render import Console, plain_table, print_result
from qa_queue.models.outcomes import ExitCode
from qa_queue.queues.dead_letter import DeadLetter

app = typer.Typer()
letters = typer.Typer(help="List dead letters, requeue them, or discard them.", no_args_is_help=True)
app.add_typer(letters, name="dlq", rich_help_panel="Queues")


@letters.command("list")
def list_letters(
    start: Annotated[int, typer.Option(min=0, help="The first; the newest is 0.")] = 0,
    count: Annotated[int, typer.Option(min=1, max=1000, help="Number of dead letters.")] = 10,
    queue: Annotated[str | None, typer.Option(help="Of this queue only.")] = None,
    as_json: Json = False,
) -> None:
    """List dead letters: jobs whose attempts are used up, the newest first."""
    out = Console()
    found = open_backend().dead_letters.list(start, start + count - 1, queue)
    if as_json:
        out.print_json(data={"jobs": [_as_json(letter) for letter in found]})
        return
    if not found:
        out.print("No dead letters.")
        return
    table = plain_table()
    for column in ("Job", "Queue", "Died", "Attempts", "Reason"):
        table.add_column(column, overflow="fold", no_wrap=column in ("Job", "Died"))
    for letter in found:
        died = f"{letter.died_at.astimezone():%m-%d %H:%M:%S}"
        reason = escape(f"{letter.reason}: {letter.error}".split("\n")[0])
        table.add_row(letter.job_id, letter.queue, died, str(len(letter.attempts)), reason)
    out.print(table)


@letters.command()
def requeue(
    job_ids: Annotated[list[str] | None, typer.Argument(metavar="JOB...", help="The jobs' ids.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    queue: Annotated[str | None, typer.Option(help="With --all: those of this queue.")] = None,
    as_json: Json = False,
) -> None:
    """Requeue dead letters; their history is kept."""
    changes = open_changes(open_backend())
    if everything:
        report = changes.requeue_all(queue)
        lines = [f"{len(report.requeued)} requeued."]
        lines += [f"refused {job_id}: {reason}" for job_id, reason in report.refused.items()]
        print_result(
            {"requeued": list(report.requeued), "refused": report.refused}, "\n".join(lines), as_json=as_json
        )
        raise typer.Exit(ExitCode.FAILED if report.refused else ExitCode.OK)
    for job_id in job_ids or ():
        changes.requeue(job_id)
    lines = [f"{job_id}  requeued" for job_id in job_ids or ()]
    print_result({"requeued": list(job_ids or ()), "refused": {}}, "\n".join(lines), as_json=as_json)


@letters.command()
def discard(
    job_ids: Annotated[list[str], typer.Argument(metavar="JOB...", help="The jobs' ids.")], as_json: Json = False
) -> None:
    """Delete dead letters permanently."""
    changes = open_changes(open_backend())
    for job_id in job_ids:
        changes.discard(job_id)
    print_result({"discarded": job_ids}, "\n".join(f"{job_id}  discarded" for job_id in job_ids), as_json=as_json)


def _as_json(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.job_id,
        "queue": letter.queue,
        "reason": letter.reason,
        "error": letter.error,
        "data": letter.data,
        "attempts": [attempt.model_dump(mode="json") for attempt in letter.attempts],
        "metadata": letter.metadata,
        "requeues": letter.requeues,
        "died_at": letter.died_at.isoformat(),
    }
