"""Commands on evidence: report, trace."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from qa_queue.cli.options import open_backend
from qa_queue.cli.render import Console, echo
from qa_queue.errors import InputError, NotFoundError
from qa_queue.models import ArtifactKind, utc_now
from qa_queue.reports.allure import write_allure
from qa_queue.reports.render import Format, render
from qa_queue.reports.texts import github_annotations
from qa_queue.reports.trace_viewer import serving_trace
from qa_queue.services import Backend
from qa_queue.services.reports import report_of
from qa_queue.store.artifacts import missing_file

PANEL = "Runs"

app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def report(
    of: Annotated[str, typer.Argument(metavar="RUN|BATCH", help="The id of a run or batch, or its beginning.")],
    *,
    html: Annotated[bool, typer.Option("--html", help="One self-contained HTML file (the default).")] = False,
    junit: Annotated[bool, typer.Option("--junit", help="JUnit XML, for CI systems.")] = False,
    allure: Annotated[bool, typer.Option("--allure", help="A folder of Allure results.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, as its schema describes it.")] = False,
    brief: Annotated[bool, typer.Option("--brief", help="At most 2 kB for each failure, as text.")] = False,
    github: Annotated[bool, typer.Option("--github", help="GitHub step summary; annotations to stderr.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File to write, - for the terminal; with --allure a folder."),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the HTML report in a browser.")] = False,
) -> None:
    """Write a report of a run or a batch."""
    err = Console(stderr=True)
    format_ = _format(html=html, junit=junit, allure=allure, json=as_json, brief=brief, github=github)
    if open_it and format_ is not Format.HTML:
        raise InputError("--open opens an HTML report: leave out the other format.")
    found = report_of(open_backend(), of, utc_now())
    if format_ is Format.ALLURE:
        folder = output or Path("allure-results")
        err.print(f"Wrote {write_allure(found, folder)} results to {folder}/", highlight=False, soft_wrap=True)
        return
    text = render(found, format_)
    if format_ is Format.GITHUB:
        # GitHub reads them from both outputs; standard output usually goes to $GITHUB_STEP_SUMMARY.
        echo(github_annotations(found.failures, Path.cwd()), err=True)
    path = output or (Path(f"report-{of[:8]}.html") if format_ is Format.HTML else None)
    if path is None or str(path) == "-":
        echo(text)
        return
    _write(path, text)
    err.print(f"Wrote {path}", highlight=False, soft_wrap=True)
    if open_it:
        webbrowser.open(path.resolve().as_uri())


def _format(**chosen: bool) -> Format:
    """Return the one chosen format, HTML if none is."""
    names = [name for name, wanted in chosen.items() if wanted]
    if len(names) > 1:
        raise InputError(f"Choose one format, not {' and '.join(f'--{name}' for name in names)}.")
    return Format(names[0]) if names else Format.HTML


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error


@app.command(rich_help_panel=PANEL)
def trace(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    attempt: Annotated[int | None, typer.Option(min=1, help="Of this attempt instead of the last one.")] = None,
    name: Annotated[str | None, typer.Option(help="This file, where an attempt has several traces.")] = None,
    path_only: Annotated[bool, typer.Option("--path", help="Print the file's path instead of opening it.")] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Print the address and open no browser.")] = False,
) -> None:
    """Show the Playwright trace of a run in a browser, until Ctrl-C; nothing is requested from elsewhere."""
    err = Console(stderr=True)
    path = _trace_file(open_backend(), run_id, attempt, name, err)
    if path_only:
        typer.echo(path)
        return
    with serving_trace(path) as url:
        echo(url, nl=True)
        if not no_open:
            webbrowser.open(url)
        err.print("Ctrl-C ends it.", style="dim")
        try:
            Event().wait()
        except KeyboardInterrupt:
            return


def _trace_file(backend: Backend, run_id: str, attempt: int | None, name: str | None, err: Console) -> Path:
    """Return the newest trace of a run, or the one that is named.

    Raises:
        NotFoundError: it has no such trace, or the file is on another machine.
    """
    run = backend.find_run(run_id)
    kept = [one for one in backend.store.list_artifacts([run.id]) if one.kind is ArtifactKind.TRACE]
    traces = [one for one in kept if attempt in (None, one.attempt) and name in (None, one.name)]
    if not traces:
        of = f"Attempt {attempt} of run" if attempt else "Run"
        raise NotFoundError(f"{of} {run.id} has no trace{f' {name!r}' if name else ''}: run it with --trace on.")
    chosen = traces[-1]
    beside = [one.name for one in traces if one.attempt == chosen.attempt and one is not chosen]
    if beside:
        err.print(f"Showing {chosen.name}; --name shows {', '.join(beside)}.", highlight=False, soft_wrap=True)
    path = backend.artifacts.find(chosen.path)
    if path is None:
        raise NotFoundError(missing_file(backend.artifacts, chosen.path, run.worker))
    return path
