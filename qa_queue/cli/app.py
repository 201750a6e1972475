"""The `qa-queue` program: its commands and how their errors become messages and exit codes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from qa_queue import __version__
from qa_queue.cli import (
    adaptations,
    alerts,
    batches,
    cases,
    demo,
    events,
    health,
    jobs,
    limits,
    operate,
    queues,
    reports,
    run,
    runs,
    schedules,
    stored_cases,
    tokens,
    worker,
)
from qa_queue.cli.options import close_opened
from qa_queue.errors import CaseError, PayloadError, QAError
from qa_queue.models.outcomes import ExitCode, outcome_of
from qa_queue.services.submission import ItemsError

app = typer.Typer(
    name="qa-queue",
    help="Browser tests on your own machines: queued, run in parallel, with evidence kept.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"qa-queue {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Options of every command."""


_RUNS = (run, runs, reports, batches, schedules, cases, stored_cases, adaptations)
_SERVICE = (operate, queues, jobs, limits, events, worker, demo, tokens, alerts, health)
for module in (*_RUNS, *_SERVICE):
    module.register(app)


def explain(error: QAError, err: Console) -> None:
    """Print each problem of an error in a line of its own."""
    for line in _problems(error):
        err.print(f"[bold red]error:[/] {escape(line)}", soft_wrap=True)


def _problems(error: QAError) -> tuple[str, ...]:
    match error:
        case ItemsError():
            return tuple(line for inner in error.faults.values() for line in _problems(inner))
        case CaseError(problems=problems) | PayloadError(problems=problems) if problems:
            return problems
        case _:
            return (str(error),)


def main() -> None:
    """Run the command line and exit with its code."""
    err = Console(stderr=True)
    try:
        app()
    except QAError as error:
        explain(error, err)
        sys.exit(outcome_of(error).exit_code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:  # `qa-queue runs | head`
        sys.stderr.close()
        sys.exit(ExitCode.OK)
    finally:
        close_opened()
