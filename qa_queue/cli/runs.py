"""Commands on runs: run, watch, runs, show, cancel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from qa_queue.cli import submit
from qa_queue.cli.render import report_json, run_list_table, runs_table, steps_table
from qa_queue.cli.service import CommandServices, open_service
from qa_queue.errors import InputError
from qa_queue.models import RunStatus, TestConfig, TraceMode
from qa_queue.models.outcomes import ExitCode, exit_code_of
from qa_queue.producer import SubmittedRun
from qa_queue.queues.cancellation import CancelOutcome
from qa_queue.schedules.jobs import case_named
from qa_queue.schedules.times import seconds_of
from qa_queue.store.records import RunRecord

_CANCEL_WORDS = {
    CancelOutcome.REMOVED: "cancelled before it started",
    CancelOutcome.SIGNALLED: "told to stop",
    CancelOutcome.ALREADY_FINISHED: "had already ended",
    CancelOutcome.UNKNOWN: "is not on any queue",
}

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Timeout = Annotated[float | None, typer.Option("--timeout", min=0.1, help="Follow for at most this many seconds.")]


PANEL = "Runs"


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command("run", rich_help_panel=PANEL)(run)
    app.command("watch", rich_help_panel=PANEL)(watch)
    app.command("runs", rich_help_panel=PANEL)(list_runs)
    app.command("show", rich_help_panel=PANEL)(show)
    app.command("cancel", rich_help_panel=PANEL)(cancel)


def run(
    files: Annotated[list[Path], typer.Argument(help="Cases: YAML, JSON or recordings.", metavar="FILE...")],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the runs to their end.")] = False,
    base_url: Annotated[str | None, typer.Option(help="Run against this host instead of the case's own.")] = None,
    env: Annotated[list[str] | None, typer.Option(help="A value for ${env.NAME}, as NAME=VALUE.")] = None,
    priority: Annotated[str, typer.Option(help="urgent, high, normal or low.")] = "normal",
    trace: Annotated[TraceMode | None, typer.Option(help="When to keep a Playwright trace.")] = None,
    delay: Annotated[int | None, typer.Option(min=0, help="Start the runs so many ms from now.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Run each case so many times, --every apart.")] = 1,
    every: Annotated[str | None, typer.Option(help="How far apart repeated runs start, such as 10m.")] = None,
    timeout: Timeout = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Submitting this key again gives the same run.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Put cases on the queue; with --wait, follow them.

    ExitCode codes: 0 all passed or adapted, 1 a test failed, 2 bad input, 3 infrastructure, 4 timed out,
    130 interrupted (and the runs cancelled).
    """
    out, err = Console(), Console(stderr=True)
    options = submit.RunOptions(
        base_url=base_url,
        env=submit.parse_env(env or ()),
        priority=submit.parse_priority(priority),
        config=TestConfig(trace=trace),
        timeout=timeout,
        idempotency_key=idempotency_key,
        delay_ms=delay,
        repeat=repeat,
        every_ms=seconds_of(every) * 1000 if every else None,
    )
    requests = submit.load_requests(files, options, warn=None if as_json else err)
    if idempotency_key and len(requests) > 1:
        raise InputError(f"--idempotency-key names one run, and these files hold {len(requests)} cases.")
    service = open_service()
    submitted, batch_id = submit.submit(service, requests)
    submit.warn_without_worker(service, err)
    if wait:
        reports, code = submit.wait_for(service, submitted, options, out, quiet=as_json)
        submit.render(reports, code, out, as_json=as_json, interrupted=submit.INTERRUPTED_WAITING)
        raise typer.Exit(code)
    say_submitted(submitted, out, as_json=as_json, batch_id=batch_id)


def say_submitted(
    submitted: tuple[SubmittedRun, ...], out: Console, *, as_json: bool, batch_id: str | None = None
) -> None:
    """The runs that were put on the queue, and the batch that they are."""
    if as_json:
        runs = [{"run_id": r.run_id, "case": r.case_name, "created": r.created} for r in submitted]
        out.print_json(data={"batch_id": batch_id, "runs": runs})
        return
    for r in submitted:
        out.print(f"{r.run_id}  {escape(r.case_name)}" + ("" if r.created else "  [dim](already submitted)[/]"))
    out.print("[dim]Follow one with `qa-queue watch RUN`.[/]")
    if batch_id is not None:
        out.print(f"[dim]Together they are the batch {batch_id}: `qa-queue batch show BATCH`.[/]", soft_wrap=True)


def watch(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    timeout: Timeout = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each report as a line of JSON.")] = False,
) -> None:
    """Follow a run from its first step to its end, also after it ended. Ctrl-C stops watching, not the run."""
    out, service = Console(), open_service()
    record = service.run(run_id)
    if as_json:
        for event in service.progress.follow(record.id, timeout=0 if record.status.final else timeout):
            typer.echo(event.progress.model_dump_json())
        raise typer.Exit(exit_code_of([service.run(run_id).status]))
    name = service.case_names([record.test_case_id])[record.test_case_id]
    runs = (SubmittedRun(run_id=run_id, job_id=run_id, case_name=name),)
    reports, code = submit.watch(service, runs, submit.RunOptions(timeout=timeout), out)
    submit.render(reports, code, out, as_json=False, interrupted=submit.INTERRUPTED_WATCHING)
    raise typer.Exit(code)


def list_runs(
    status: Annotated[list[str] | None, typer.Option(help="Only runs of this status; may be given again.")] = None,
    case: Annotated[str | None, typer.Option(help="Only runs of the case with this name.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List runs, the newest first."""
    out, service = Console(), open_service()
    found = service.store.list_runs(
        case_id=_case_id(service, case) if case else None,
        statuses=[_status(text) for text in status] if status else None,
        limit=limit,
    )
    if as_json:
        out.print_json(data={"runs": [record.model_dump(mode="json") for record in found]})
        return
    if not found:
        out.print("No runs. `qa-queue run FILE` makes the first.")
        return
    out.print(run_list_table(found, service.case_names({r.test_case_id for r in found})))


def _status(text: str) -> RunStatus:
    word = {"passed": "completed"}.get(text, text.replace("-", "_"))
    try:
        return RunStatus(word)
    except ValueError:
        known = ", ".join(s.value for s in RunStatus)
        raise InputError(f"--status {text!r} is not known: choose one of {known}.") from None


def _case_id(service: CommandServices, name: str) -> str:
    return case_named(name, service.store.list_cases()).id


def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")], as_json: Json = False
) -> None:
    """Show a run with its steps and its evidence."""
    out, service = Console(), open_service()
    record = service.run(run_id)
    steps = service.store.list_steps([run_id])
    report = service.reports([run_id])[0]
    if as_json:
        out.print_json(data={**report_json(report), "steps": [s.model_dump(mode="json") for s in steps]})
        return
    out.print(runs_table([report], width=out.width))
    out.print(steps_table(steps))
    for artifact in report.artifacts:
        out.print(f"{artifact.kind.value}: {report.artifacts_dir / artifact.path}", soft_wrap=True, highlight=False)
    _say_trace(record, [str(report.artifacts_dir / a.path) for a in report.artifacts if a.kind == "trace"], out)


def _say_trace(record: RunRecord, traces: list[str], out: Console) -> None:
    if traces and not record.status.good:
        out.print(f"[dim]Open the trace with: playwright show-trace {traces[-1]}[/]", soft_wrap=True)


def cancel(
    run_ids: Annotated[list[str], typer.Argument(metavar="RUN...", help="The runs' ids.")], as_json: Json = False
) -> None:
    """Cancel runs that wait or run."""
    out, service = Console(), open_service()
    outcomes = service.cancel(run_ids, "cancelled from the command line")
    if as_json:
        out.print_json(data={"runs": [{"run_id": r, "outcome": o.value} for r, o in outcomes.items()]})
    else:
        for run_id, outcome in outcomes.items():
            out.print(f"{run_id}  {_CANCEL_WORDS[outcome]}", highlight=False)
    if CancelOutcome.UNKNOWN in outcomes.values():
        raise typer.Exit(ExitCode.BAD_INPUT)
