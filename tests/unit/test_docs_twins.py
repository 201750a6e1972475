"""Every operation of the API has a command that does the same and answers as JSON, and the docs name it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from qa_queue.api.app import create_app
from qa_queue.cli.app import app
from qa_queue.services import Backend
from qa_queue.settings import Settings
from qa_queue.store.memory import MemoryStore

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
ROW = re.compile(r"^\| (?P<operations>`[A-Z]+ /.*) \| `qa-queue (?P<command>[a-z -]+)` \|$", re.MULTILINE)
TWINS = [
    (operation, row["command"])
    for row in ROW.finditer(PAGE.read_text(encoding="utf-8"))
    for operation in re.findall(r"`([A-Z]+ /[^`]+)`", row["operations"])
]


def operations() -> set[str]:
    document = create_app(Backend(Settings(_env_file=None), MemoryStore())).openapi()
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in document["paths"].items()
        for method in methods
    }


def test_every_operation_has_a_twin() -> None:
    """And the table names no operation that is not there."""
    assert {operation for operation, _ in TWINS} == operations()


@pytest.mark.parametrize("command", sorted({command for _, command in TWINS}))
def test_every_twin_answers_as_json(command: str) -> None:
    """The command exists and takes --json."""
    found: Any = get_command(app)
    for word in command.split():
        found = found.commands[word]
    assert any("--json" in option.opts for option in found.params)
