"""Commands on the queues: pause, resume, clean, and the dead letters."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.markup import escape

from qa_queue.cli.options import Json, open_backend
from qa_queue.cli.render import plain_table
from qa_queue.models.outcomes import ExitCode
from qa_queue.queues.dead_letter import DeadLetter
from qa_queue.queues.retention import CleanKind

PANEL = "Queues"
Queue = Annotated[str, typer.Argument(help="The queue's name.")]
letters = typer.Typer(
    help="Look at dead letters, put them back on their queue, or discard them.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for name, command in (("pause", pause), ("resume", resume), ("clean", clean)):
        app.command(name, rich_help_panel=PANEL)(command)
    for name, letter_command in (("list", list_letters), ("requeue", requeue), ("discard", discard)):
        letters.command(name)(letter_command)
    app.add_typer(letters, name="dlq", rich_help_panel=PANEL)


def pause(queue: Queue, as_json: Json = False) -> None:
    """Take nothing more from a queue. Its workers stay up, and what runs goes on."""
    changed = open_backend(check=False).queues.pause(queue)
    said = f"{queue} is paused." if changed else f"{queue} was paused already."
    _say({"queue": queue, "paused": True, "changed": changed}, said, as_json=as_json)


def resume(queue: Queue, as_json: Json = False) -> None:
    """Take from a paused queue again, at once."""
    changed = open_backend(check=False).queues.resume(queue)
    said = f"{queue} goes on." if changed else f"{queue} was not paused."
    _say({"queue": queue, "paused": False, "changed": changed}, said, as_json=as_json)


def clean(
    queue: Queue,
    grace: Annotated[int, typer.Option(min=0, help="Keep jobs that ended within so many seconds.")] = 3600,
    limit: Annotated[int, typer.Option(min=1, help="Delete at most so many.")] = 1000,
    kind: Annotated[str, typer.Option(help="completed, failed (dead letters) or cancelled.")] = "completed",
    as_json: Json = False,
) -> None:
    """Delete ended jobs of a queue from Redis. Runs in Supabase stay; `cleanup` is for those."""
    deleted = open_backend(check=False).queues.clean(queue, grace * 1000, limit, cast(CleanKind, kind))
    _say({"deleted": deleted}, f"{len(deleted)} {kind} jobs of {queue} deleted.", as_json=as_json)


def list_letters(
    start: Annotated[int, typer.Option(min=0, help="The first, the newest being 0.")] = 0,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 10,
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
    for column in ("Job", "Queue", "Died", "Attempts", "Why"):
        table.add_column(column, overflow="fold", no_wrap=column in ("Job", "Died"))
    for letter in found:
        died = f"{letter.died_at.astimezone():%m-%d %H:%M:%S}"
        why = escape(f"{letter.reason}: {letter.error}".split("\n")[0])
        table.add_row(letter.job_id, letter.queue, died, str(len(letter.attempts)), why)
    out.print(table)


def requeue(
    job_ids: Annotated[list[str] | None, typer.Argument(metavar="JOB...", help="The jobs' ids.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    queue: Annotated[str | None, typer.Option(help="With --all: those of this queue.")] = None,
    as_json: Json = False,
) -> None:
    """Put dead letters back on their queue; their history is kept."""
    dead = open_backend().dead_letters
    if everything:
        report = dead.requeue_all(queue)
        lines = [f"{len(report.requeued)} put back."]
        lines += [f"[yellow]refused[/] {job_id}: {escape(why)}" for job_id, why in report.refused.items()]
        _say({"requeued": list(report.requeued), "refused": report.refused}, "\n".join(lines), as_json=as_json)
        raise typer.Exit(ExitCode.FAILED if report.refused else ExitCode.OK)
    for job_id in job_ids or ():
        dead.requeue(job_id)
    lines = [f"{job_id}  put back" for job_id in job_ids or ()]
    _say({"requeued": list(job_ids or ()), "refused": {}}, "\n".join(lines), as_json=as_json)


def discard(
    job_ids: Annotated[list[str], typer.Argument(metavar="JOB...", help="The jobs' ids.")], as_json: Json = False
) -> None:
    """Delete dead letters for good."""
    dead = open_backend().dead_letters
    for job_id in job_ids:
        dead.discard(job_id)
    said = "\n".join(f"{job_id}  discarded" for job_id in job_ids)
    _say({"discarded": job_ids}, said, as_json=as_json)


def _say(document: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        Console().print_json(data=document)
    else:
        Console().print(text, highlight=False, soft_wrap=True)


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
