"""`qa-queue job`: jobs of any queue, those of installed packages among them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from qa_queue.cli.options import Json, open_backend, parse_priority
from qa_queue.errors import InputError
from qa_queue.producer import JobRequest
from qa_queue.queues.job_view import JobView, read_job

PANEL = "Queues"


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    group = typer.Typer(help="Put a job on any queue; see what became of it.", no_args_is_help=True)
    group.command("add")(add)
    group.command("show")(show)
    app.add_typer(group, name="job", rich_help_panel=PANEL)


def add(
    queue: Annotated[str, typer.Argument(help="The queue's name.")],
    data: Annotated[str, typer.Option(help="The payload as JSON, or @FILE with it.")],
    *,
    name: Annotated[str, typer.Option(help="What people see of it.")] = "",
    idempotency_key: Annotated[str | None, typer.Option(help="Sent again, it gives the same job.")] = None,
    priority: Annotated[str, typer.Option(help="urgent, high, normal or low.")] = "normal",
    attempts: Annotated[int | None, typer.Option(help="In all; as the queue says without it.")] = None,
    timeout: Annotated[int | None, typer.Option(help="Seconds that it may take.")] = None,
    delay: Annotated[int | None, typer.Option(help="Start it so many ms from now.")] = None,
    metadata: Annotated[str, typer.Option(help="What is kept beside it, as JSON.")] = "{}",
    as_json: Json = False,
) -> None:
    """Put a job on a queue; its payload is checked by the queue's model. Runs are made by `run`."""
    request = JobRequest(
        data=_object("--data", data),
        name=name,
        idempotency_key=idempotency_key,
        priority=parse_priority(priority),
        attempts=attempts,
        timeout_s=timeout,
        delay_ms=delay,
        metadata=_object("--metadata", metadata),
    )
    (job,) = open_backend(check=False).jobs.submit(queue, request)
    out = Console()
    if as_json:
        out.print_json(data=asdict(job))
    else:
        again = "" if job.created else "  [dim](already submitted)[/]"
        out.print(f"{job.job_id}  on the queue '{escape(job.queue)}'{again}", highlight=False)


def show(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")], as_json: Json = False
) -> None:
    """Show a job as Redis has it: where it stands, what it returned, what went wrong."""
    out, job = Console(), read_job(open_backend(check=False).redis, job_id)
    if as_json:
        out.print_json(data=_as_json(job))
        return
    out.print(f"[bold]{escape(job.name)}[/]  {job.status} on {escape(job.queue)}", highlight=False)
    for title, value in (("payload", job.data), ("metadata", job.metadata), ("result", job.result)):
        if value:
            out.print(f"{title}: {escape(json.dumps(value))}", highlight=False, soft_wrap=True)
    for error in job.errors:
        out.print(f"attempt {error.number}: [red]{escape(error.error)}[/]", highlight=False, soft_wrap=True)


def _object(option: str, text: str) -> dict[str, Any]:
    """The JSON object of an option.

    Raises:
        InputError: it is none, or its file cannot be read.
    """
    try:
        read = json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except (OSError, ValueError) as error:
        raise InputError(f"{option} {text!r} cannot be read ({error}): write a JSON object, or @FILE.") from None
    if not isinstance(read, dict):
        raise InputError(f"{option} is no JSON object: write it as '{{\"name\": value}}'.")
    return read


def _as_json(job: JobView) -> dict[str, Any]:
    moments = {name: getattr(job, name) for name in ("created_at", "started_at", "ended_at")}
    return asdict(job) | {
        "errors": [error.model_dump(mode="json") for error in job.errors],
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
    }
