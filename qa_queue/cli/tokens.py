"""`qa-queue token`: create, list and revoke tokens of the API, and log in to the pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from qa_queue.auth.tokens import Role, TokenInfo, TokenScope
from qa_queue.cases.hosts import HostList
from qa_queue.cli.options import Json, open_backend, open_changes
from qa_queue.cli.render import Console, plain_table
from qa_queue.errors import InputError
from qa_queue.errors.validation import count_of

app = typer.Typer()
tokens = typer.Typer(no_args_is_help=True, help="Create, list and revoke tokens of the API; log in to the pages.")
app.add_typer(tokens, name="token", rich_help_panel="Service")


@tokens.command()
def create(
    name: Annotated[str, typer.Argument(help="The owner's name; runs submitted with the token have it.")],
    role: Annotated[Role, typer.Option(help="read: look; run: also submit; admin: everything.")] = Role.RUN,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="Expire after this many days.")] = None,
    case: Annotated[
        list[str] | None, typer.Option(help="Only runs of this stored case, by id or name; repeatable.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only runs of cases with this tag; repeatable.")] = None,
    host: Annotated[
        list[str] | None, typer.Option(help="Runs reach only this host, written as in QA_EGRESS_ALLOW; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Create a token. It is shown only once.

    With --case, --tag or --host the token may start, rerun and cancel such runs, and change nothing else.
    """
    out = Console()
    scope = _scope(role, case or (), tag or (), host or ())
    lifetime = timedelta(days=days) if days else None
    info, text = open_changes(open_backend(check=False)).create_token(name, role, lifetime, scope)
    if as_json:
        out.print_json(data={**info.model_dump(mode="json"), "token": text})
        return
    out.print(text, soft_wrap=True, highlight=False)
    Console(stderr=True).print("[dim]Store it now: it is not shown again.[/]")


@tokens.command("list")
def list_tokens(as_json: Json = False) -> None:
    """List the tokens, without their texts."""
    out, found = Console(), open_backend(check=False).tokens.list_all()
    if as_json:
        out.print_json(data={"tokens": [info.model_dump(mode="json") for info in found]})
    elif found:
        out.print(_table(found))
    else:
        out.print("No tokens. `qa-queue token create NAME` creates one.")


@tokens.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `qa-queue token list` shows it.")],
    cancel_runs: Annotated[
        bool,
        typer.Option("--cancel-runs", help="Cancel the unfinished runs under its name too, also delayed ones."),
    ] = False,
) -> None:
    """Revoke a token at once, with the logins made with it.

    Runs that it has submitted go on without --cancel-runs. Tokens with the same name share their runs.
    """
    out, changes = Console(), open_changes(open_backend(check=False))
    info = changes.revoke_token(token_id)
    out.print(f"{token_id}  revoked", highlight=False)
    if cancel_runs:
        number = len(changes.cancel_runs_of(info.name))
        out.print(f"{count_of(number, 'unfinished run')} of {escape(info.name)} cancelled", highlight=False)


@tokens.command()
def link() -> None:
    """Print a link that logs a browser in to the pages as administrator; it works once, within the hour."""
    found = open_changes(open_backend(check=False)).login_link()
    Console().print(found, soft_wrap=True, highlight=False)


def _scope(role: Role, cases: Sequence[str], tags: Sequence[str], hosts: Sequence[str]) -> TokenScope | None:
    """Return the limits of a new token; None where it has none.

    Raises:
        InputError: a host cannot be read, or the role is for those who change the service.
    """
    if not (cases or tags or hosts):
        return None
    if role is Role.ADMIN:
        raise InputError("--case, --tag and --host do not go with --role admin, which may do everything.")
    try:
        HostList.of(hosts, networks=True)
    except ValueError as error:
        raise InputError(f"--host: {error}") from None
    return TokenScope(cases=tuple(cases), tags=tuple(tags), hosts=tuple(hosts))


def _limits(scope: TokenScope | None) -> str:
    if scope is None:
        return ""
    named = (("case", scope.cases), ("tag", scope.tags), ("host", scope.hosts))
    return ", ".join(f"{kind} {escape(value)}" for kind, values in named for value in values)


def _table(found: list[TokenInfo]) -> Table:
    table = plain_table()
    for column in ("ID", "Name", "Role", "Created", "Expires", "Limits"):
        table.add_column(column)
    for info in found:
        expires = f"{info.expires_at.astimezone():%Y-%m-%d}" if info.expires_at else "never"
        created = f"{info.created_at.astimezone():%Y-%m-%d}"
        table.add_row(info.id, escape(info.name), info.role, created, expires, _limits(info.scope))
    return table
