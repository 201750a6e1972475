"""docs/from-playwright.md: its Python is Python, and its steps run at the sites of the examples."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.sites import serve
from qa_queue.cases.reader import parse_case
from qa_queue.cases.yaml_source import read_yaml
from qa_queue.producer.requests import RunRequest
from qa_queue.producer.validation import expanded
from tests.support.running import NO_EVIDENCE, ExecutionHarness

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "from-playwright.md").read_text()
CALLS = 40
BLOCKS = [
    pytest.param(title, steps, id=f"{number}-{title.replace(' ', '-')}")
    for number, (title, steps) in enumerate(
        (section.split("\n", 1)[0], steps)
        for section in PAGE.split("\n## ")[1:]
        for steps in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    )
]


@pytest.fixture(scope="module")
def sites() -> Iterator[str]:
    with serve() as url:
        yield url


def _document(title: str, text: str) -> dict[str, Any]:
    document, _, problems = read_yaml(text, "from-playwright.md")
    assert problems == []
    if isinstance(document, dict):
        return document
    return {"name": title, "base_url": "${env.BASE_URL}", "steps": document}


@pytest.mark.parametrize(("title", "text"), BLOCKS)
async def test_the_steps_of_the_page_run(harness: ExecutionHarness, sites: str, title: str, text: str) -> None:
    """A reader may copy each block."""
    case = parse_case(_document(title, text), source="from-playwright.md")
    folder = ROOT / "examples" / "sites" / "cases"
    for request in expanded(RunRequest(case=case, env={"BASE_URL": sites})):
        values = {"env": request.env, "data_row": request.data_row, "case_dir": str(folder)}
        data = harness.submit(case, **values, config=NO_EVIDENCE)
        result = await harness.run(data)
        assert (result.status, result.error) == ("completed", None)


def test_the_page_shows_the_most_used_calls() -> None:
    """As Python that can be parsed."""
    blocks = [ast.parse(block) for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)]
    calls = {
        node.func.attr
        for block in blocks
        for node in ast.walk(block)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert len(calls) >= CALLS, sorted(calls)
