"""The documentation: its examples are read by the loader, its links and commands lead somewhere."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from qa_queue.cases.reader import load_cases
from qa_queue.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CASE = re.compile(r"```yaml\n(version: 1\n.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"`(?:[^`\n]* )?qa-queue ([a-z][a-z-]*)")

EXAMPLES = [
    pytest.param(text, id=f"{page.name}-{number}")
    for page in PAGES
    for number, text in enumerate(CASE.findall(page.read_text()), 1)
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_case_in_the_docs_is_read_by_the_loader(text: str, tmp_path: Path) -> None:
    file = tmp_path / "case.yaml"
    file.write_text(text)
    assert load_cases(file)


def test_the_case_format_is_shown_by_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    missing = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_the_docs_exists(page: Path) -> None:
    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert set(COMMAND.findall(page.read_text())) <= known
