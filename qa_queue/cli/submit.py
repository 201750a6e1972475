"""`qa-queue run`: put cases on the queue and, where asked, follow them to their end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from qa_queue.cases.model import Case
from qa_queue.cases.reader import load_file
from qa_queue.cases.retarget import moved
from qa_queue.cli.follow import choose_view, follow
from qa_queue.cli.render import RunReport, report_json, runs_table
from qa_queue.cli.service import CommandServices
from qa_queue.errors import CaseError, InputError
from qa_queue.models import Priority, TestConfig
from qa_queue.models.outcomes import ExitCode, exit_code_of
from qa_queue.producer import JobProducer, RunRequest, SubmittedRun


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What `qa-queue run` was asked for."""

    base_url: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    priority: Priority = Priority.NORMAL
    config: TestConfig = field(default_factory=TestConfig)
    timeout: float | None = None
    idempotency_key: str | None = None
    delay_ms: int | None = None
    repeat: int = 1
    every_ms: int | None = None


def parse_env(pairs: Sequence[str]) -> dict[str, str]:
    """`["K=V"]` as a mapping.

    Raises:
        InputError: a pair has no `=` or no name.
    """
    env: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(f"--env {pair!r} cannot be read: write it as --env NAME=VALUE.")
        env[name] = value
    return env


def parse_priority(text: str) -> Priority:
    """A priority by its name in any case.

    Raises:
        InputError: there is none of this name.
    """
    try:
        return Priority[text.upper()]
    except KeyError:
        names = ", ".join(p.name.lower() for p in sorted(Priority, reverse=True))
        raise InputError(f"--priority {text!r} is not known: choose one of {names}.") from None


def load_requests(files: Sequence[Path], options: RunOptions, warn: Console | None = None) -> list[RunRequest]:
    """Every case of every file as a request; problems of all files are reported together.

    Raises:
        CaseError: a file cannot be used; `problems` has the findings of every file.
    """
    requests: list[RunRequest] = []
    problems: list[str] = []
    for file in files:
        try:
            loaded = load_file(file)
        except CaseError as error:
            problems += error.problems or (str(error),)
            continue
        say_notes(file, loaded.warnings, warn)
        requests += (_request(case, file, options) for case in loaded.cases)
    if problems:
        raise CaseError("\n".join(problems), tuple(problems))
    return requests


def say_notes(file: Path, notes: Sequence[str], console: Console | None) -> None:
    """Print what an import could not carry over."""
    if console is None:
        return
    for note in notes:
        console.print(f"[yellow]note:[/] {escape(f'{file}: {note}')}", soft_wrap=True)


def _request(case: Case, file: Path, options: RunOptions) -> RunRequest:
    return RunRequest(
        case=moved(case, options.base_url) if options.base_url else case,
        source=file.as_posix(),
        base_url=options.base_url,
        env=options.env,
        config=options.config,
        priority=options.priority,
        idempotency_key=options.idempotency_key,
        delay_ms=options.delay_ms,
        repeat=options.repeat,
        every_ms=options.every_ms,
    )


def submit(service: CommandServices, requests: Sequence[RunRequest]) -> tuple[tuple[SubmittedRun, ...], str | None]:
    """Put these runs on the queue, all or none; several are a batch, whose id is returned with them."""
    producer = JobProducer(service.redis, service.store, service.settings)
    if len(requests) == 1:
        return producer.submit(requests), None
    batch = producer.submit_batch(requests)
    return batch.runs, batch.id


def warn_without_worker(service: CommandServices, err: Console) -> None:
    """Say how to start a worker when none listens; the runs wait for one."""
    if service.queues.get_queue_stats("test-execution")["test-execution"].workers == 0:
        err.print(
            "[yellow]note:[/] no worker listens on test-execution, so the runs wait. Start one with "
            "`qa-queue up`, or `rq worker -w qa_queue.worker.QAWorker test-execution`."
        )


INTERRUPTED_WAITING = "the runs that had not ended were cancelled."
INTERRUPTED_WATCHING = "the run goes on; `qa-queue cancel RUN` ends it."


def wait_for(
    service: CommandServices, runs: Sequence[SubmittedRun], options: RunOptions, out: Console, *, quiet: bool
) -> tuple[list[RunReport], ExitCode]:
    """Follow runs to their end; what they left, and the exit code.

    On Ctrl-C the runs are cancelled and the code is 130.
    """
    names = {run.run_id: run.case_name for run in runs}
    try:
        statuses = follow(service, names, choose_view(out, names, quiet=quiet), timeout=options.timeout)
    except KeyboardInterrupt:
        service.cancel(names, "cancelled from the command line")
        return service.reports(names), ExitCode.INTERRUPTED
    return service.reports(names), exit_code_of(statuses.values())


def watch(
    service: CommandServices, runs: Sequence[SubmittedRun], options: RunOptions, out: Console
) -> tuple[list[RunReport], ExitCode]:
    """Follow runs that somebody else may have submitted: on Ctrl-C they go on."""
    names = {run.run_id: run.case_name for run in runs}
    try:
        statuses = follow(service, names, choose_view(out, names, quiet=False), timeout=options.timeout)
    except KeyboardInterrupt:
        return service.reports(names), ExitCode.INTERRUPTED
    return service.reports(names), exit_code_of(statuses.values())


def render(reports: Sequence[RunReport], code: ExitCode, out: Console, *, as_json: bool, interrupted: str) -> None:
    """The end of `run --wait`: a table for people, JSON for programs."""
    if as_json:
        out.print_json(data={"runs": [report_json(report) for report in reports], "exit_code": int(code)})
        return
    out.print(runs_table(reports, width=out.width))
    if code is ExitCode.INTERRUPTED:
        out.print(f"[magenta]Interrupted:[/] {interrupted}")
    if code is ExitCode.TIMED_OUT:
        out.print("[red]Timed out:[/] `qa-queue watch RUN` goes on following a run that has not ended.")
