"""Commands on adaptations: list, show, accept, reject."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from qa_queue.cases.retarget import unified
from qa_queue.cli.options import Json, open_backend, open_changes, user_name
from qa_queue.cli.render import Console, echo, plain_table
from qa_queue.errors import InputError
from qa_queue.services import Backend, adaptations
from qa_queue.services.adaptations import Judgement
from qa_queue.store.records import AdaptationRow

STATUSES = ("applied", "proposed", "accepted", "rejected")
_COLOURS = {"applied": "yellow", "proposed": "cyan", "accepted": "green", "rejected": "red"}

Id = Annotated[str, typer.Argument(metavar="ADAPTATION", help="The adaptation's id.")]
By = Annotated[str | None, typer.Option("--by", help="Name of the judge; by default you.")]


app = typer.Typer()
group = typer.Typer(
    help="Steps whose element was located in another way: list, show, accept, reject.", no_args_is_help=True
)
app.add_typer(group, name="adaptations", rich_help_panel="Cases")


@group.command("list")
def list_adaptations(
    status: Annotated[list[str] | None, typer.Option(help=f"{', '.join(STATUSES)}; may be given again.")] = None,
    run: Annotated[str | None, typer.Option(help="Only those of this run.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List adaptations, the newest first."""
    unknown = sorted(set(status or ()) - set(STATUSES))
    if unknown:
        raise InputError(f"--status {unknown[0]!r} is not known: choose one of {', '.join(STATUSES)}.")
    out, backend = Console(), open_backend()
    found = backend.store.find_adaptations(run_id=run, statuses=status, limit=limit)
    if as_json:
        out.print_json(data={"adaptations": [row.model_dump(mode="json", exclude={"evidence"}) for row in found]})
    elif not found:
        out.print("No adaptations: every step found its element as its case says.")
    else:
        out.print(_list(found, backend.case_names({row.test_case_id for row in found})))


@group.command()
def show(adaptation_id: Id, as_json: Json = False) -> None:
    """Show an adaptation: what it was, what it became, what spoke for and against, and its pictures."""
    out, backend = Console(), open_backend()
    row = adaptations.get(backend.store, adaptation_id)
    if as_json:
        out.print_json(data=row.model_dump(mode="json"))
        return
    name = backend.case_names([row.test_case_id])[row.test_case_id]
    out.print(f"[bold]{escape(name)}[/], step {row.step_number}: {_status(row)} ({row.reason})")
    out.print(f"was: {escape(_target(row.old_target))}", highlight=False, soft_wrap=True)
    out.print(f"now: {escape(_target(row.new_target))}", highlight=False, soft_wrap=True)
    if row.evidence:
        out.print(escape(row.evidence["summary"]), highlight=False, soft_wrap=True)
        out.print(_properties(row.evidence["properties"]))
    for path in _pictures(backend, row):
        out.print(f"picture: {path}", highlight=False, soft_wrap=True)


@group.command()
def accept(
    adaptation_id: Id,
    by: By = None,
    as_json: Json = False,
    write: Annotated[bool, typer.Option(help="Name the element so in the stored case from now on.")] = True,
    apply: Annotated[
        bool, typer.Option("--apply", help="Change the case's file too, instead of printing a patch.")
    ] = False,
) -> None:
    """Say that an adaptation was right. Its locator becomes the case's; for a file a patch is printed."""
    out, backend = Console(), open_backend()
    judged = open_changes(backend).accept_adaptation(adaptation_id, judge=by or user_name(), write=write)
    _say(judged, out, as_json=as_json)
    _patch(judged, out, apply=apply, as_json=as_json)


@group.command()
def reject(adaptation_id: Id, by: By = None, as_json: Json = False) -> None:
    """Say that an adaptation was wrong: its locator never serves this step again."""
    out, backend = Console(), open_backend()
    judged = open_changes(backend).reject_adaptation(adaptation_id, judge=by or user_name())
    _say(judged, out, as_json=as_json)
    _patch(judged, out, apply=False, as_json=as_json)


def _say(judged: Judgement, out: Console, *, as_json: bool) -> None:
    row = judged.adaptation
    if as_json:
        version = judged.case.version if judged.case else None
        said = row.model_dump(mode="json", exclude={"evidence"})
        out.print_json(
            data={
                "adaptation": said,
                "case_version": version,
                "step_number": judged.step_number,
                "place": judged.place,
            }
        )
        return
    out.print(f"{row.id}  {_status(row)}: {escape(_target(row.new_target))}", highlight=False, soft_wrap=True)
    if judged.case is not None:
        out.print(f"Case {escape(judged.case.name)!r} is now version {judged.case.version}.", soft_wrap=True)


def _patch(judged: Judgement, out: Console, *, apply: bool, as_json: bool) -> None:
    """Print the change of the case's file, or make it, where the case came from one that is here.

    With JSON on standard output, all of it goes to standard error.
    """
    out = Console(stderr=True) if as_json else out
    if judged.case is None or judged.case.source is None:
        return
    path = Path(judged.case.source)
    if not path.is_file():
        out.print(f"[dim]{path} is not here: change step {judged.place} there too.[/]", soft_wrap=True)
        return
    text = path.read_text(encoding="utf-8")
    changed = judged.rewrite(text)
    if changed is None:
        out.print(
            f"[dim]{path} does not have step {judged.place} as it was stored: change it by hand.[/]", soft_wrap=True
        )
    elif apply:
        _replace(path, changed)
        out.print(f"[green]written[/] {escape(str(path))}", soft_wrap=True)
    else:
        echo(unified(text, changed, str(path)), err=as_json)


def _replace(path: Path, text: str) -> None:
    """In one step, so that a crash leaves the old file or the new one."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(text, encoding="utf-8")
    shutil.copymode(path, draft)
    draft.replace(path)


def _list(rows: list[AdaptationRow], names: dict[str, str]) -> Table:
    table = plain_table()
    for column in ("Adaptation", "Case", "Step", "Status", "By", "Sure", "Found by"):
        table.add_column(column, overflow="fold", no_wrap=column == "Adaptation")
    for row in rows:
        sure = "" if row.score is None else f"{row.score:.0%}"
        case = escape(names.get(row.test_case_id, ""))
        found = escape(_target(row.new_target))
        table.add_row(row.id, case, str(row.step_number), _status(row), row.reason, sure, found)
    return table


def _properties(properties: list[dict[str, Any]]) -> Table:
    table = plain_table()
    for column in ("Property", "Was", "Is", "Points", "Of", "Spoke"):
        table.add_column(column, justify="right" if column in ("Points", "Of") else "left", overflow="fold")
    for one in properties:
        points, most = f"{one['points']:.2f}", f"{one['most']:.2f}"
        table.add_row(one["name"], escape(one["before"]), escape(one["after"]), points, most, one["verdict"])
    return table


def _pictures(backend: Backend, row: AdaptationRow) -> list[str]:
    return [
        backend.artifacts.place_of(artifact.path)
        for artifact in backend.store.list_artifacts([row.test_run_id])
        if artifact.attempt == row.attempt and artifact.step_number == row.step_number and "-heal-" in artifact.name
    ]


def _status(row: AdaptationRow) -> str:
    colour = _COLOURS.get(row.status, "dim")
    return f"[{colour}]{row.status}[/]"


def _target(target: dict[str, Any]) -> str:
    return json.dumps(target, ensure_ascii=False)
