"""`qa-queue case`: the cases that are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from qa_queue.cases.exporters.yaml import dump_yaml
from qa_queue.cases.model import Case
from qa_queue.cases.reader import load_file, parse_case
from qa_queue.cli.options import Json, open_backend, open_changes
from qa_queue.cli.render import Console, plain_table
from qa_queue.errors import InputError
from qa_queue.errors.validation import count_of
from qa_queue.services.cases import find_case
from qa_queue.store.records import CaseRecord

app = typer.Typer()
case = typer.Typer(help="Stored cases: create, list, get, replace, duplicate, delete.", no_args_is_help=True)
app.add_typer(case, name="case", rich_help_panel="Cases")

Ref = Annotated[str, typer.Argument(metavar="CASE", help="The case's id, key or name.")]
File = Annotated[Path, typer.Argument(help="The case: YAML, JSON or a recording.")]


@case.command()
def create(file: File, as_json: Json = False) -> None:
    """Store a new case; one of its name or id must not be there."""
    case = _one(file)
    _say(open_changes(open_backend()).create_case(case), "stored", as_json=as_json)


@case.command("list")
def list_cases(
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None, as_json: Json = False
) -> None:
    """List stored cases by name."""
    out = Console()
    found = [case for case in open_backend().store.list_cases() if tag is None or tag in case.tags]
    if as_json:
        out.print_json(data={"cases": [case.model_dump(mode="json", exclude={"definition"}) for case in found]})
        return
    if not found:
        out.print("No cases. `qa-queue case create FILE` stores one, and so does `qa-queue run FILE`.")
        return
    table = plain_table()
    for column in ("Id", "Name", "Version", "Tags"):
        table.add_column(column, overflow="fold", no_wrap=column == "Id")
    for case in found:
        table.add_row(case.id, escape(case.name), str(case.version), escape(", ".join(case.tags)))
    out.print(table)


@case.command()
def get(ref: Ref, as_json: Json = False) -> None:
    """Print a stored case as YAML; with --json, its row."""
    record = find_case(open_backend(), ref)
    if as_json:
        Console().print_json(data=record.model_dump(mode="json"))
    else:
        typer.echo(dump_yaml(parse_case(record.definition, source=record.name)), nl=False)


@case.command()
def replace(ref: Ref, file: File, as_json: Json = False) -> None:
    """Give a stored case another definition, which is its next version; its id, or name, must stay."""
    backend, case = open_backend(), _one(file)
    _say(open_changes(backend).replace_case(find_case(backend, ref), case), "replaced", as_json=as_json)


@case.command()
def duplicate(
    ref: Ref,
    name: Annotated[str, typer.Option(help="What the copy is called.")],
    case_id: Annotated[str | None, typer.Option("--id", help="An id of its own, which stays.")] = None,
    as_json: Json = False,
) -> None:
    """Store a copy of a case under another name."""
    backend = open_backend()
    copy = open_changes(backend).duplicate_case(find_case(backend, ref), name=name, case_id=case_id)
    _say(copy, "stored", as_json=as_json)


@case.command()
def delete(
    ref: Ref,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a case with all its runs; those that wait are cancelled first."""
    backend = open_backend()
    record = find_case(backend, ref)
    if not yes and not as_json:
        typer.confirm(f"Delete {record.name!r} with all its runs?", abort=True)
    runs = open_changes(backend).delete_case(record)
    if as_json:
        Console().print_json(data={"case_id": record.id, "runs": runs})
    else:
        Console().print(f"{record.id}  deleted, with {count_of(runs, 'run')}", highlight=False)


def _one(file: Path) -> Case:
    loaded = load_file(file)
    if len(loaded.cases) != 1:
        raise InputError(f"{file} is a suite of {len(loaded.cases)} cases: this takes one at a time.")
    return loaded.cases[0]


def _say(record: CaseRecord, what: str, *, as_json: bool) -> None:
    if as_json:
        Console().print_json(data=record.model_dump(mode="json"))
    else:
        Console().print(f"{record.id}  {what}: {escape(record.name)}, version {record.version}", highlight=False)
