"""Commands on case files, none of which needs a running service: check, schema, import."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from qa_queue.cases.model import Case
from qa_queue.cli.options import Json, parse_env
from qa_queue.cli.render import Console
from qa_queue.errors import CaseError, InputError
from qa_queue.errors.validation import count_of, did_you_mean
from qa_queue.models import Priority, TestConfig
from qa_queue.models.outcomes import ExitCode
from qa_queue.producer import RunRequest

if TYPE_CHECKING:  # a pytest suite runs without the reader of case files
    from qa_queue.cases.reader import LoadedFile

PANEL = "Cases"
StrictImport = Annotated[
    bool, typer.Option("--strict-import", help="Refuse a file that an import could not carry over in full.")
]

Tag = Annotated[list[str] | None, typer.Option("--tag", help="Only cases with one of these tags.")]
Keyword = Annotated[
    str | None, typer.Option("-k", help="Only cases whose name or tags match, such as 'login and not slow'.")
]

app = typer.Typer()


@dataclass(frozen=True, kw_only=True)
class RunCommandOptions:
    """The options of `qa-queue run` that go into each request."""

    base_url: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    priority: Priority = Priority.NORMAL
    config: TestConfig = field(default_factory=TestConfig)
    idempotency_key: str | None = None
    delay_ms: int | None = None
    repeat: int = 1
    every_ms: int | None = None
    seed: str | None = None
    rows: tuple[str, ...] = ()
    max_failures: int | None = None
    checks_only: bool = False  # a flow alone can be checked, but not run
    strict_import: bool = False

    def request(self, case: Case, source: str | None) -> RunRequest:
        """Return the request for a case with these options."""
        if self.base_url is not None and case.pytest is None:
            from qa_queue.cases.rebase import moved

            case = moved(case, self.base_url)
        return RunRequest(
            case=case,
            source=source,
            base_url=self.base_url,
            env=self.env,
            config=self.config,
            priority=self.priority,
            idempotency_key=self.idempotency_key,
            delay_ms=self.delay_ms,
            repeat=self.repeat,
            every_ms=self.every_ms,
            seed=self.seed,
            max_failures=self.max_failures,
        )


@app.command(rich_help_panel=PANEL)
def check(
    targets: Annotated[
        list[str] | None,
        typer.Argument(help="Case files or recordings, folders, pytest tests, stored cases.", metavar="FILE..."),
    ] = None,
    *,
    base_url: Annotated[str | None, typer.Option(help="As `run` would be given it.")] = None,
    env: Annotated[list[str] | None, typer.Option(help="A value for ${env.NAME}, as NAME=VALUE.")] = None,
    strict_import: StrictImport = False,
    tag: Tag = None,
    keyword: Keyword = None,
    as_json: Json = False,
) -> None:
    """Check cases as `run` would, without running them; every problem is listed with its line.

    Exit code 2 if there is one.
    """
    from qa_queue.producer.validation import resolve_environments

    out = Console()
    options = RunCommandOptions(
        base_url=base_url, env=parse_env(env), strict_import=strict_import, checks_only=True
    )
    try:
        warn = None if as_json else Console(stderr=True)
        requests = _chosen(tuple(targets or ()), tuple(tag or ()), keyword, options, warn)
        print_unused_env(requests, options.env, warn)
        resolve_environments(requests)
    except CaseError as error:
        if not as_json:
            raise
        out.print_json(data={"valid": False, "problems": list(error.problems or (str(error),)), "cases": []})
        raise typer.Exit(ExitCode.BAD_INPUT) from None
    if as_json:
        found = [_checked(request) for request in requests]
        out.print_json(data={"valid": True, "problems": [], "cases": found})
        return
    for request in requests:
        steps = count_of(request.case.step_count, "step")
        out.print(
            f"[green]ok[/]  {escape(request.source or '')}: {escape(request.case.name)} ({steps})",
            soft_wrap=True,
        )


def _chosen(
    targets: tuple[str, ...],
    tags: tuple[str, ...],
    keyword: str | None,
    options: RunCommandOptions,
    warn: Console | None,
) -> list[RunRequest]:
    """Return a request for each case that `run` would take."""
    files = [Path(one) for one in targets]
    if files and not tags and keyword is None and all(file.is_file() and file.suffix != ".py" for file in files):
        return load_requests(files, options, warn)
    from qa_queue.cli.options import open_backend
    from qa_queue.cli.selection import Selection, choose

    return choose(Selection(targets=targets, tags=tags, keyword=keyword), options, open_backend, warn)


def _checked(request: RunRequest) -> dict[str, Any]:
    case = request.case
    return {"source": request.source, "name": case.name, "steps": case.step_count, "notes": list(case.notes)}


@app.command(rich_help_panel=PANEL)
def schema() -> None:
    """Print the JSON Schema of case files, for completion in editors."""
    from qa_queue.cases.schema import schema_text

    typer.echo(schema_text())


@app.command("import", rich_help_panel=PANEL)
def import_recording(
    file: Annotated[Path, typer.Argument(help="A recording, as Chrome DevTools Recorder exports it.")],
    to: Annotated[Path | None, typer.Option("--to", "-o", help="Write here instead of to the screen.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Move the recording to this host.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file that is there.")] = False,
    strict_import: StrictImport = False,
    as_json: Json = False,
) -> None:
    """Turn a recording into a case in YAML, with a note for each part that could not be carried over."""
    from qa_queue.cases.exporters.document import case_document
    from qa_queue.cases.exporters.yaml import dump_yaml
    from qa_queue.cases.reader import load_file
    from qa_queue.cases.rebase import rebase

    loaded = load_file(file)
    if len(loaded.cases) != 1:
        raise InputError(f"{file} is a suite of {len(loaded.cases)} cases: `import` takes one recording at a time.")
    if strict_import and (losses := _losses(file, loaded)):
        raise CaseError("\n".join(losses), losses)
    case = _with_base_url_of_env(rebase(loaded.cases[0], base_url) if base_url else loaded.cases[0])
    text = dump_yaml(case)
    if as_json:
        notes = list(loaded.warnings)
        Console().print_json(data={"case": case_document(case), "yaml": text, "notes": notes})
        return
    err = Console(stderr=True)
    print_notes(file, loaded.warnings, err)
    if to is None:
        typer.echo(text, nl=False)
        return
    if to.exists() and not force:
        raise InputError(f"{to} exists already: give another name, or --force to overwrite it.")
    try:
        to.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{to} cannot be written: {error.strerror}.") from None
    err.print(f"[green]written[/] {escape(str(to))}", soft_wrap=True)


def _with_base_url_of_env(case: Case) -> Case:
    """Return the case with a base URL that `--env BASE_URL=...` replaces."""
    if not case.base_url or "${" in case.base_url:
        return case
    return case.model_copy(update={"base_url": f"${{env.BASE_URL:-{case.base_url}}}"})


def print_unused_env(requests: Sequence[RunRequest], env: Collection[str], console: Console | None) -> None:
    """Print the names given by `--env` that no case uses."""
    if console is None or any(request.case.pytest for request in requests):  # a suite may read any variable
        return
    from qa_queue.cases.values import references

    used = {one.name for request in requests for one in references(request.case) if one.kind == "env"}
    for name in sorted(set(env) - used):
        hint = did_you_mean(name, used) if used else "; a case uses it as ${env." + name + "}"
        if name == "BASE_URL":
            hint += "; --base-url moves a case to another host"
        console.print(
            f"[yellow]note:[/] --env {escape(name)} is not used by any case{escape(hint)}", soft_wrap=True
        )


def load_requests(
    files: Sequence[Path], options: RunCommandOptions, warn: Console | None = None
) -> list[RunRequest]:
    """Return a request for every case of every file.

    Raises:
        CaseError: a file cannot be used; `problems` has those of all files.
    """
    from qa_queue.cases.reader import load_file
    from qa_queue.producer.validation import with_row

    requests: list[RunRequest] = []
    problems: list[str] = []
    for file in files:
        try:
            loaded = load_file(file)
        except CaseError as error:
            problems += error.problems or (str(error),)
            continue
        if options.strict_import:
            problems += _losses(file, loaded)
        print_notes(file, loaded.warnings, warn)
        if loaded.flow is not None and not options.checks_only:
            problems.append(f"{file}: is a flow, which cases use: give a case")
        cases = loaded.cases if loaded.flow is None else (loaded.flow,)
        for request in (options.request(case, file.as_posix()) for case in cases):
            requests += [with_row(request, row) for row in options.rows] or [request]
    if problems:
        raise CaseError("\n".join(problems), tuple(problems))
    return requests


def _losses(file: Path, loaded: LoadedFile) -> tuple[str, ...]:
    return tuple(f"{file}: {note}" for note in loaded.warnings)


def print_notes(file: Path, notes: Sequence[str], console: Console | None) -> None:
    """Print the parts of a file that an import could not carry over."""
    if console is None:
        return
    for note in notes:
        console.print(f"[yellow]note:[/] {escape(f'{file}: {note}')}", soft_wrap=True)
