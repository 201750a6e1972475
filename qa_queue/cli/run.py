"""`qa-queue run` and `qa-queue watch`: put cases on the queue, and follow runs to their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qa_queue.cli.cases import Keyword, RunCommandOptions, StrictImport, Tag, print_unused_env
from qa_queue.cli.interrupts import held_interrupts, sigterm_interrupts
from qa_queue.cli.options import (
    Env,
    Json,
    PriorityName,
    Run,
    begun_backend,
    open_backend,
    parse_env,
    parse_priority,
)
from qa_queue.cli.render import (
    Console,
    counts_text,
    echo,
    print_next_commands,
    print_submitted,
    print_where,
    report_json,
    runs_table,
    short_id,
    warn_without_worker,
)
from qa_queue.cli.selection import RunCommand, Selection, pytest_arguments, select
from qa_queue.errors import InputError
from qa_queue.models import EvidenceMode, RetryStrategy, ScreenshotMode, TestConfig
from qa_queue.models.outcomes import INTERRUPTED, ExitCode, exit_code_of
from qa_queue.models.results import BASELINE
from qa_queue.producer import RunRequest, SubmittedRun
from qa_queue.services import Backend
from qa_queue.suites.cases import Grouping
from qa_queue.suites.ordering import Shard

if TYPE_CHECKING:  # what follows runs is imported when the first job is sent
    from qa_queue.services.runs import RunReport

PANEL = "Runs"
CANCELLED_S = 5.0
INTERRUPTED_WAITING = "the runs that had not ended were cancelled."
INTERRUPTED_WATCHING = "the run continues; `qa-queue cancel` ends it."
Timeout = Annotated[float | None, typer.Option("--timeout", min=0.1, help="Follow for at most this many seconds.")]

app = typer.Typer()


@dataclass(frozen=True, kw_only=True)
class Following:
    """The options of `qa-queue run --wait`. After `max_failures` failed runs the others are cancelled."""

    timeout: float | None = None
    max_failures: int | None = None
    fail_on_flaky: bool = False


@app.command(cls=RunCommand, rich_help_panel=PANEL)
def run(
    context: typer.Context,
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            help="Case files, folders, pytest tests (PATH::NODE), stored cases. What follows -- is for pytest.",
            metavar="FILE...",
        ),
    ] = None,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the runs to their end.")] = False,
    base_url: Annotated[str | None, typer.Option(help="Run against this host instead of the case's own.")] = None,
    env: Env = None,
    priority: PriorityName = "normal",
    trace: Annotated[EvidenceMode | None, typer.Option(help="When to keep a Playwright trace.")] = None,
    video: Annotated[EvidenceMode | None, typer.Option(help="When to keep videos of the pages.")] = None,
    har: Annotated[EvidenceMode | None, typer.Option(help="When to keep the network traffic as HAR.")] = None,
    screenshots: Annotated[ScreenshotMode | None, typer.Option(help="When to keep pictures.")] = None,
    delay: Annotated[int | None, typer.Option(min=0, help="Start the runs after this many ms.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Run each case this many times, --every apart.")] = 1,
    every: Annotated[str | None, typer.Option(help="Interval between repeated runs, such as 10m.")] = None,
    timeout: Timeout = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Submitting this key again returns the same run.")
    ] = None,
    seed: Annotated[str | None, typer.Option(help="Seed of generated values; `show` prints that of a run.")] = None,
    row: Annotated[list[str] | None, typer.Option(help="Run this row of data only: its number or name.")] = None,
    strict_import: StrictImport = False,
    tag: Tag = None,
    keyword: Keyword = None,
    last_failed: Annotated[bool, typer.Option("--last-failed", help="Only those that failed, if any.")] = False,
    shard: Annotated[str | None, typer.Option(help="Part of a whole, balanced by duration: 1/4.")] = None,
    group: Annotated[
        Grouping,
        typer.Option(help="Tests of one run; auto keeps those of a module or class fixture together."),
    ] = Grouping.AUTO,
    python: Annotated[
        str | None, typer.Option(help="Interpreter or virtual environment of a pytest suite; the worker's own.")
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(help="With QA_ARTIFACTS: files of a suite to send along, beside those that git tracks."),
    ] = None,
    requirements: Annotated[
        str | None,
        typer.Option(help="With QA_ARTIFACTS: file of a suite's packages, for workers with QA_SUITE_INSTALL."),
    ] = None,
    retries: Annotated[
        int | None, typer.Option(min=0, max=10, help="Try a failed test again up to this many times.")
    ] = None,
    retry_strategy: Annotated[
        RetryStrategy | None, typer.Option(help="Retry at once, or after all other waiting runs and alone.")
    ] = None,
    max_failures: Annotated[
        int | None, typer.Option(min=1, help="With --wait: begin no other run after this many failures.")
    ] = None,
    fail_on_flaky: Annotated[
        bool, typer.Option("--fail-on-flaky", help="With --wait: exit 1 if a test passed on a retry only.")
    ] = False,
    update_screenshots: Annotated[
        bool, typer.Option("--update-screenshots", help="With --wait: renew the baselines of screenshots.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put cases on the queue; with --wait, follow them.

    Exit codes: 0 all passed or adapted, 1 a test failed, 2 bad input, 3 infrastructure, 4 timed out,
    130 interrupted (and the runs cancelled).
    """
    options = RunCommandOptions(
        base_url=base_url,
        env=parse_env(env),
        priority=parse_priority(priority),
        config=TestConfig(
            trace=trace, video=video, har=har, screenshots=screenshots, update_screenshots=update_screenshots
        ),
        idempotency_key=idempotency_key,
        delay_ms=delay,
        repeat=repeat,
        every_ms=_every_ms(every) if every else None,
        strict_import=strict_import,
        seed=seed,
        rows=tuple(row or ()),
        max_failures=max_failures if wait else None,
    )
    selection = Selection(
        targets=tuple(targets or ()),
        tags=tuple(tag or ()),
        keyword=keyword,
        last_failed=last_failed,
        shard=Shard.parse(shard) if shard else None,
        grouping=group,
        python=python,
        pytest_arguments=pytest_arguments(context),
        retries=retries,
        include=tuple(include or ()),
        requirements=requirements,
        retry_strategy=retry_strategy,
    )
    if update_screenshots and not wait:
        raise InputError("--update-screenshots goes with --wait: baselines are written when the runs have ended.")
    following = Following(timeout=timeout, max_failures=max_failures, fail_on_flaky=fail_on_flaky) if wait else None
    raise typer.Exit(_run(selection, options, following, as_json=as_json))


@app.command(rich_help_panel=PANEL)
def watch(
    run_id: Run,
    timeout: Timeout = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each report as a line of JSON.")] = False,
) -> None:
    """Follow a run from its first step to its end, also after it ended. Ctrl-C stops watching, not the run."""
    from qa_queue.cli.follow import choose_view, follow
    from qa_queue.progress import FROM_START
    from qa_queue.services.runs import RunFollower, reports_of

    out, backend = Console(), open_backend()
    record = backend.find_run(run_id)
    if as_json:
        for event in RunFollower(backend, {record.id: FROM_START}).follow(timeout):
            echo(event.progress.model_dump_json(), nl=True)
        raise typer.Exit(exit_code_of([backend.run(record.id).status]))
    names = {record.id: backend.case_names([record.test_case_id])[record.test_case_id]}
    try:
        code = exit_code_of(follow(backend, names, choose_view(out, names, quiet=False), timeout=timeout).values())
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    render(reports_of(backend, names), code, out, as_json=False, interrupted=INTERRUPTED_WATCHING)
    raise typer.Exit(code)


def _every_ms(text: str) -> int:
    from qa_queue.schedules.times import seconds_of

    return seconds_of(text) * 1000


def _run(
    selection: Selection, options: RunCommandOptions, following: Following | None, *, as_json: bool
) -> ExitCode:
    """Submit what was selected and, with `following`, wait for its end; print the result."""
    out, err = Console(), Console(stderr=True)
    connect = begun_backend()
    requests = select(selection, options, connect, warn=None if as_json else err)
    print_unused_env(requests, options.env, None if as_json else err)
    if options.idempotency_key and len(requests) > 1:
        raise InputError(f"--idempotency-key names one run, and these files hold {len(requests)} cases.")
    import_module("qa_queue.producer.run_producer")  # while the service is asked whether it can be used
    backend = connect()
    # A submission is whole, and from its end until that of its runs an interrupt cancels them.
    with sigterm_interrupts(), held_interrupts() as release:
        submitted, batch_id = submit(backend, requests)
        if following is None:
            warn_without_worker(backend, err)
            print_submitted(submitted, out, as_json=as_json, batch_id=batch_id)
            release()
            return ExitCode.OK

        def announce() -> None:
            release()
            warn_without_worker(backend, err)
            if not as_json:
                print_where(backend, submitted, batch_id, out)

        reports, code = wait_for(backend, submitted, out, following, quiet=as_json, announce=announce)
    for file in keep_baselines(requests, reports):
        err.print(f"wrote {file}", soft_wrap=True, highlight=False)
    render(reports, code, out, as_json=as_json, interrupted=INTERRUPTED_WAITING)
    return code


def keep_baselines(requests: Sequence[RunRequest], reports: Sequence[RunReport]) -> Iterator[str]:
    """Write the new baselines of screenshots beside the files of their cases; yield the files that were written."""
    from qa_queue.cases.data_files import baselines_folder

    folders = {request.case.name: baselines_folder(Path(request.source)) for request in requests if request.source}
    for report in reports:
        own = [name for name in folders if report.case_name == name or report.case_name.startswith(f"{name} [")]
        for artifact in report.artifacts if own else ():
            found = report.files.find(artifact.path) if artifact.name.startswith(BASELINE) else None
            if found is not None:
                target = folders[max(own, key=len)] / artifact.name.removeprefix(BASELINE)
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(found.read_bytes())
                yield str(target)


def submit(backend: Backend, requests: Sequence[RunRequest]) -> tuple[tuple[SubmittedRun, ...], str | None]:
    """Put these runs on the queue, all or none, and return them; several are a batch, whose id comes second."""
    if len(requests) == 1 and (requests[0].data_row is not None or len(requests[0].case.data) <= 1):
        return backend.producer.submit(requests), None
    from qa_queue.services.submission import submit_batch

    batch = submit_batch(backend, requests)
    return batch.runs, batch.id


def wait_for(
    backend: Backend,
    runs: Sequence[SubmittedRun],
    out: Console,
    following: Following,
    *,
    quiet: bool,
    announce: Callable[[], None] = lambda: None,
) -> tuple[list[RunReport], ExitCode]:
    """Follow runs to their end and return their reports and the exit code; call `announce` first.

    On Ctrl-C the runs are cancelled and the code is 130; workers have `CANCELLED_S` to end them.
    """
    from qa_queue.cli.follow import NoView, choose_view, follow
    from qa_queue.services.runs import reports_of

    names = {run.run_id: run.case_name for run in runs}
    try:
        announce()
        view = choose_view(out, names, quiet=quiet)
        statuses = follow(
            backend,
            names,
            view,
            timeout=following.timeout,
            max_failures=following.max_failures,
            new=all(run.created for run in runs),
        )
    except KeyboardInterrupt:
        backend.cancel(names, INTERRUPTED)
        with suppress(KeyboardInterrupt):  # a second Ctrl-C does not wait for the workers
            follow(backend, names, NoView(), timeout=CANCELLED_S)
        return reports_of(backend, names, names), ExitCode.INTERRUPTED
    reports, code = reports_of(backend, names, names), exit_code_of(statuses.values())
    flaky = following.fail_on_flaky and any(report.run.flaky for report in reports)
    return reports, ExitCode.FAILED if flaky and code is ExitCode.OK else code


def render(reports: Sequence[RunReport], code: ExitCode, out: Console, *, as_json: bool, interrupted: str) -> None:
    """Print the end of `run --wait`: a table, or JSON for programs."""
    if as_json:
        out.print_json(data={"runs": [report_json(report) for report in reports], "exit_code": int(code)})
        return
    out.print(runs_table(reports))
    if len(reports) > 1:
        out.print(f"{len(reports)} runs: {counts_text(report.run for report in reports)}", highlight=False)
    print_next_commands(reports, out)
    if code is ExitCode.INTERRUPTED:
        out.print(f"[magenta]Interrupted:[/] {interrupted}")
    waiting = next((one.run.id for one in reports if not one.run.status.final), None)
    if code is ExitCode.TIMED_OUT and waiting is not None:
        out.print(f"[red]Timed out:[/] [cyan]qa-queue watch {short_id(waiting)}[/] continues to follow a run.")
