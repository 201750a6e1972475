"""`qa-queue token`: who may use the pages and the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from qa_queue.auth.logins import login_link
from qa_queue.auth.tokens import Role, TokenInfo
from qa_queue.cli.options import Json, open_backend
from qa_queue.errors import NotFoundError

tokens = typer.Typer(no_args_is_help=True, help="Make, list and revoke tokens of the API; log in to the pages.")


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.add_typer(tokens, name="token")


@tokens.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whose it is; runs made with it bear this name.")],
    role: Annotated[Role, typer.Option(help="read looks, run also submits, admin may do everything.")] = Role.RUN,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="Expires after so many days.")] = None,
    as_json: Json = False,
) -> None:
    """Make a token. It is shown this once."""
    out = Console()
    lifetime = timedelta(days=days) if days else None
    info, text = open_backend(check=False).tokens.create(name, role, lifetime)
    if as_json:
        out.print_json(data={**info.model_dump(mode="json"), "token": text})
        return
    out.print(text, soft_wrap=True, highlight=False)
    Console(stderr=True).print("[dim]Keep it now: it is not shown again.[/]")


@tokens.command("list")
def list_tokens(as_json: Json = False) -> None:
    """List the tokens, without their texts."""
    out, found = Console(), open_backend(check=False).tokens.list_all()
    if as_json:
        out.print_json(data={"tokens": [info.model_dump(mode="json") for info in found]})
    elif found:
        out.print(_table(found))
    else:
        out.print("No tokens. `qa-queue token create NAME` makes one.")


@tokens.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `qa-queue token list` shows it.")],
) -> None:
    """Make a token worthless at once, with the logins made with it."""
    if not open_backend(check=False).tokens.revoke(token_id):
        raise NotFoundError(f"there is no token {token_id!r}: `qa-queue token list` has those that there are.")
    Console().print(f"{token_id}  revoked", highlight=False)


@tokens.command("link")
def link() -> None:
    """Print a link that logs a browser in to the pages as administrator; it works once, within the hour."""
    backend = open_backend(check=False)
    found = login_link(backend.redis, backend.settings.qa_web_port)
    Console().print(found, soft_wrap=True, highlight=False)


def _table(found: list[TokenInfo]) -> Table:
    table = Table(header_style="bold")
    for column in ("ID", "Name", "Role", "Made", "Expires"):
        table.add_column(column)
    for info in found:
        expires = f"{info.expires_at.astimezone():%Y-%m-%d}" if info.expires_at else "never"
        table.add_row(info.id, escape(info.name), info.role, f"{info.created_at.astimezone():%Y-%m-%d}", expires)
    return table
