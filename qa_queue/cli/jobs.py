"""Commands on jobs: put one on any queue, show it, follow the queues' events, and start clean-up or learning."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from qa_queue.cli.options import Json, PriorityName, open_backend, open_changes, parse_priority
from qa_queue.cli.render import Console, print_result, short_id
from qa_queue.errors import InfrastructureError, InputError
from qa_queue.extensions import known_queue
from qa_queue.models import CleanupJobData, CleanupJobResult, LearningJobData, LearningJobResult, QueueName
from qa_queue.producer import JobRequest
from qa_queue.progress import FROM_START
from qa_queue.queues.events import KINDS, EventStream, QueueEvent
from qa_queue.queues.job_view import JobView, read_job
from qa_queue.services import Backend

_EVENT_ID = re.compile(r"\d{1,15}(-\d{1,15})?")

RECENT = 50
RESULT_TIMEOUT_S = 120.0
_POLL_S = 0.2
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the result and print it.")]

app = typer.Typer()
job = typer.Typer(help="Put a job on any queue, and show its state and result.", no_args_is_help=True)
app.add_typer(job, name="job", rich_help_panel="Queues")


@job.command()
def add(
    queue: Annotated[str, typer.Argument(help="The queue's name.")],
    data: Annotated[str, typer.Option(help="The payload as JSON, or @FILE with it.")],
    *,
    name: Annotated[str, typer.Option(help="A name to display.")] = "",
    idempotency_key: Annotated[
        str | None, typer.Option(help="Submitting this key again returns the same job.")
    ] = None,
    priority: PriorityName = "normal",
    attempts: Annotated[
        int | None, typer.Option(help="Attempts in all; the queue's own number by default.")
    ] = None,
    timeout: Annotated[int | None, typer.Option(help="Seconds that it may take.")] = None,
    delay: Annotated[int | None, typer.Option(help="Start it after this many ms.")] = None,
    metadata: Annotated[str, typer.Option(help="Metadata to keep with it, as JSON.")] = "{}",
    as_json: Json = False,
) -> None:
    """Put a job on a queue; the queue's model checks its payload. `run` submits runs."""
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
    submitted = open_changes(open_backend(check=False)).submit_job(queue, request)
    again = "" if submitted.created else "  (already submitted)"
    text = f"{submitted.job_id}  on the queue '{submitted.queue}'{again}"
    print_result(asdict(submitted), text, as_json=as_json)


@job.command()
def show(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")], as_json: Json = False
) -> None:
    """Show a job as Redis has it: its state, its result, and the error of each attempt."""
    out, found = Console(), read_job(open_backend(check=False).redis, job_id)
    if as_json:
        out.print_json(data=_as_json(found))
        return
    out.print(f"[bold]{escape(found.name)}[/]  {found.status} on {escape(found.queue)}", highlight=False)
    for title, value in (("payload", found.data), ("metadata", found.metadata), ("result", found.result)):
        if value:
            out.print(f"{title}: {escape(json.dumps(value))}", highlight=False, soft_wrap=True)
    for error in found.errors:
        out.print(f"attempt {error.number}: [red]{escape(error.error)}[/]", highlight=False, soft_wrap=True)


def _object(option: str, text: str) -> dict[str, Any]:
    """Return the JSON object of an option.

    Raises:
        InputError: it is not a JSON object, or its file cannot be read.
    """
    try:
        read = json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except (OSError, ValueError) as error:
        raise InputError(f"{option} {text!r} cannot be read ({error}): write a JSON object, or @FILE.") from None
    if not isinstance(read, dict):
        raise InputError(f"{option} is not a JSON object: write it as '{{\"name\": value}}'.")
    return read


def _as_json(found: JobView) -> dict[str, Any]:
    moments = {name: getattr(found, name) for name in ("created_at", "started_at", "ended_at")}
    return asdict(found) | {
        "errors": [error.model_dump(mode="json") for error in found.errors],
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
    }


@app.command(rich_help_panel="Queues")
def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue with new events, until Ctrl-C.")] = False,
    queue: Annotated[str | None, typer.Option(help="Of this queue only.")] = None,
    event: Annotated[list[str] | None, typer.Option(help=f"{', '.join(KINDS)}; may be given again.")] = None,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Only events after this one.")] = None,
    timeout: Annotated[float | None, typer.Option(min=0, help="Follow for at most this many seconds.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=20_000, help="Number of past events; 50 without --json and --after.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the newest events of the queues; with --follow, new ones only. The newest 20,000 are kept."""
    unknown = sorted(set(event or ()) - set(KINDS))
    if unknown:
        raise InputError(f"--event {unknown[0]!r} is not known: choose one of {', '.join(KINDS)}.")
    if after is not None and not _EVENT_ID.fullmatch(after):
        raise InputError(f"--after {after!r} is not an event: take the `id` of one, such as 1767873600000-0.")
    name = known_queue(queue) if queue is not None else None
    out, stream, kinds = Console(), open_backend(check=False).events, event or KINDS
    for one in (
        stream.follow(from_id=after, kinds=kinds, queue=name, timeout=timeout)
        if follow
        else deque(
            _past(stream, after or FROM_START, kinds, name), maxlen=limit or (None if as_json or after else RECENT)
        )
    ):
        if as_json:
            typer.echo(json.dumps(event_document(one)))
        else:
            out.print(_event_line(one), highlight=False, soft_wrap=True)


def _past(stream: EventStream, after: str, kinds: Collection[str], queue: str | None) -> Iterator[QueueEvent]:
    """Yield every event after this one that exists already."""
    page = stream.page(after, kinds=kinds, queue=queue)
    while page.last_id != after:
        yield from page.events
        after = page.last_id
        page = stream.page(after, kinds=kinds, queue=queue)


def event_document(event: QueueEvent) -> dict[str, object]:
    """Return an event for programs; `--after` takes its `id`."""
    return {
        "id": event.id,
        "event": event.kind,
        "queue": event.queue,
        "job_id": event.job_id,
        "at": event.at.isoformat(),
        "data": event.data,
    }


def _event_line(event: QueueEvent) -> str:
    moment, job_id = f"{event.at.astimezone():%m-%d %H:%M:%S}", short_id(event.job_id)
    return f"[dim]{moment}[/]  {event.kind:<9}  {escape(event.queue)}  {escape(job_id)}  {escape(_detail(event))}"


def _detail(event: QueueEvent) -> str:
    """Return the part of an event's data that people look for; `--json` prints all of it."""
    data = event.data
    words = [str(data[name]) for name in ("message", "error", "reason", "name") if data.get(name)]
    return words[0].split("\n")[0] if words else ""


@app.command(rich_help_panel="Service")
def cleanup(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report what would be deleted, and delete nothing.")
    ] = False,
    keep_days: Annotated[int | None, typer.Option(min=0, help="Days that good runs are kept.")] = None,
    keep_failed_days: Annotated[int | None, typer.Option(min=0, help="Days that failed runs are kept.")] = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Put a clean-up on its queue: it deletes runs, steps and files that are older than their limit.

    With --dry-run, wait for the result and print it; --json waits only with --wait.
    """
    data = CleanupJobData(dry_run=dry_run, keep_days=keep_days, keep_failed_days=keep_failed_days)
    backend = open_backend()
    job_id = open_changes(backend).submit_cleanup(data)
    _print_job(
        backend,
        job_id,
        QueueName.CLEANUP,
        CleanupJobResult,
        wait=wait or (dry_run and not as_json),
        as_json=as_json,
    )


@app.command(rich_help_panel="Service")
def learn(
    case: Annotated[list[str] | None, typer.Option(help="Only the case with this id; may be given again.")] = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Put a learning job on its queue: it computes reliability, flake rate and how often each locator matches."""
    data = LearningJobData(test_case_ids=tuple(case) if case else None)
    backend = open_backend()
    job_id = open_changes(backend).submit_learning(data)
    _print_job(backend, job_id, QueueName.ADAPTATION_LEARNING, LearningJobResult, wait=wait, as_json=as_json)


def _print_job(
    backend: Backend,
    job_id: str,
    queue: QueueName,
    result: type[CleanupJobResult] | type[LearningJobResult],
    *,
    wait: bool,
    as_json: bool,
) -> None:
    """Print the job or, with `wait`, its result.

    Raises:
        InfrastructureError: no worker serves the queue, the job failed, or it did not end in time.
    """
    document: dict[str, Any] = {"job_id": job_id, "queue": queue.value}
    text = f"{job_id}  on the queue '{queue.value}'"
    if wait:
        found = result.model_validate(_result_of(backend, job_id, queue))
        document, text = document | {"result": found.model_dump(mode="json")}, found.summary
    print_result(document, text, as_json=as_json)


def _result_of(backend: Backend, job_id: str, queue: QueueName) -> Any:
    if not backend.queues.get_queue_stats(queue.value)[queue.value].workers:
        raise InfrastructureError(
            f"no worker serves {queue.value}, so the job waits: start one with `qa-queue up`, or "
            f"`rq worker -w qa_queue.worker.QAWorker {queue.value}`."
        )
    deadline = time.monotonic() + RESULT_TIMEOUT_S
    while time.monotonic() < deadline:
        found = read_job(backend.redis, job_id)
        if found.status == "completed":
            return found.result
        if found.status in ("failed", "cancelled"):
            raise InfrastructureError(f"the job {job_id} is {found.status}: `qa-queue job show {job_id}` says why.")
        time.sleep(_POLL_S)
    raise InfrastructureError(f"the job {job_id} did not end within {RESULT_TIMEOUT_S:g} s; it goes on.")
