"""`qa-queue demo`: the whole service once, on this machine, with the example shop as the site under test."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.error import URLError
from urllib.request import urlopen

import typer

from qa_queue.cli.cases import RunCommandOptions, load_requests
from qa_queue.cli.render import Console, runs_table, short_id
from qa_queue.cli.run import Following, submit, wait_for
from qa_queue.errors import InputError
from qa_queue.errors.validation import count_of
from qa_queue.local.files import BUNDLE
from qa_queue.local.process import LocalService as Child
from qa_queue.local.process import free_port, launch
from qa_queue.local.stack import Stack, stack_runs
from qa_queue.models import ArtifactKind, QueueName, RunStatus
from qa_queue.models.outcomes import ExitCode
from qa_queue.producer import RunRequest
from qa_queue.services import Backend
from qa_queue.services.runs import RunReport
from qa_queue.settings import Settings, child_environment, load_settings

CASES = BUNDLE / "examples" / "shop" / "cases"
EXPECTED_FAILURE = "expected-failure"
KNOWN_BUG = "expected to fail: the shop has this bug on purpose"
TIMEOUT = 300.0  # s for all runs together

app = typer.Typer()


@app.command(rich_help_panel="Service")
def demo(
    workers: Annotated[int, typer.Option(min=1, max=16, help="Worker processes.")] = 2,
) -> None:
    """Run the example cases against the example shop: starts all it needs, shows it, and stops what it started.

    Exits 0 when every case ended as it should, the one that finds the shop's bug included.
    """
    out = Console()
    settings = load_settings()
    files = _case_files()
    with ExitStack() as running:
        settings = _on_a_stack(running, settings, out)
        backend = running.enter_context(Backend(settings))
        backend.check()
        site = running.enter_context(_shop(settings))
        running.enter_context(_workers(settings, workers))
        requests = load_requests(files, RunCommandOptions(base_url=site))
        counts = f"{count_of(workers, 'worker')}, {count_of(len(requests), 'case')}"
        out.print(f"Shop at [cyan]{site}[/], {counts} on the queue.\n")
        reports = _run(backend, requests, out)
    out.print(runs_table(reports))
    surprises = unexpected(requests, reports)
    _conclude(surprises, reports, out, stack_stays=stack_runs(settings))
    raise typer.Exit(ExitCode.FAILED if surprises else ExitCode.OK)


def unexpected(requests: Sequence[RunRequest], reports: Sequence[RunReport]) -> list[str]:
    """The cases that did not end as they should: good, or failed where the case is tagged `expected-failure`."""
    failing = _expected_to_fail(requests)
    ended_right = {
        report.case_name
        for report in reports
        if (report.run.status is RunStatus.FAILED if report.case_name in failing else report.run.status.good)
    }
    return [r.case.name for r in requests if r.case.name not in ended_right]


def _case_files() -> list[Path]:
    files = sorted((*CASES.glob("*.yaml"), *CASES.glob("*.json")))
    if not files:
        raise InputError(f"there are no cases in {CASES}: run the demo from a checkout of the project.")
    return files


def _on_a_stack(running: ExitStack, settings: Settings, out: Console) -> Settings:
    """The settings of the stack that runs in this folder, or of one that runs as long as the demo."""
    if stack_runs(settings):
        out.print("Using the stack that runs in this folder.")
        return settings
    with out.status("Starting Redis and Supabase Lite (the first start makes the tables, which takes a while) ..."):
        return running.enter_context(Stack(settings, out.print)).settings


@contextmanager
def _child(
    settings: Settings, name: str, command: Sequence[str], environment: dict[str, str], cwd: Path | None = None
) -> Iterator[Child]:
    log = settings.qa_home / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    child = launch(name, command, log=log, cwd=cwd, environment=child_environment(environment))
    try:
        yield child
    finally:
        child.stop()


@contextmanager
def _shop(settings: Settings) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "examples.shop", "--port", str(port)]
    with _child(settings, "demo-shop", command, {"SHOP_PASSWORD": ""}, cwd=BUNDLE) as shop:
        shop.wait_until(lambda: _answers(url), 20)
        yield url


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5):  # noqa: S310 - our own shop on loopback
            return True
    except (URLError, OSError):
        return False


@contextmanager
def _workers(settings: Settings, count: int) -> Iterator[None]:
    environment = Stack(settings).environment()
    command = [_rq(), "worker", "-w", "qa_queue.worker.QAWorker", QueueName.TEST_EXECUTION.value]
    with ExitStack() as stack:
        for number in range(1, count + 1):
            stack.enter_context(_child(settings, f"demo-worker-{number}", command, environment))
        yield


def _rq() -> str:
    """RQ's own command, of the same environment as this program."""
    beside = Path(sys.executable).parent / "rq"
    return str(beside) if beside.exists() else shutil.which("rq") or "rq"


def _run(backend: Backend, requests: Sequence[RunRequest], out: Console) -> list[RunReport]:
    runs, _ = submit(backend, requests)
    reports, code = wait_for(backend, runs, out, Following(timeout=TIMEOUT), quiet=False)
    if code is ExitCode.INTERRUPTED:
        raise typer.Exit(code)
    failing = _expected_to_fail(requests)
    return [replace(r, note=KNOWN_BUG) if r.case_name in failing else r for r in reports]


def _expected_to_fail(requests: Sequence[RunRequest]) -> set[str]:
    return {request.case.name for request in requests if EXPECTED_FAILURE in request.case.tags}


def _conclude(surprises: Sequence[str], reports: Sequence[RunReport], out: Console, *, stack_stays: bool) -> None:
    if surprises:
        out.print(f"[red]Not as expected:[/] {', '.join(surprises)}")
        return
    out.print("[green]Every case ended as it should.[/]")
    traced = next((r for r in reports if any(a.kind is ArtifactKind.TRACE for a in r.artifacts)), None)
    if traced:
        command = f"[cyan]qa-queue trace {short_id(traced.run.id)}[/]"
        first = "" if stack_stays else "Start the service again with [cyan]qa-queue up[/]. "
        out.print(f"{first}Look into the failed run with: {command}", soft_wrap=True, highlight=False)
