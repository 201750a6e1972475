"""The table of promises names files and tests that are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "promises.md"
ROWS = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ") and "::" in line]
SECURITY = ROOT / "docs" / "security.md"
QUEUE, FAULTS = ROOT / "docs" / "queue.md", ROOT / "docs" / "faults.md"


def proofs_of(page: Path) -> set[tuple[str, str]]:
    """The tests that a page names, as `tests/file.py::name`, or `::name` for one of the file named before."""
    file, found = "", set()
    for named, name in re.findall(r"`(tests/[\w/]+\.py)?(?:::(\w+))?`", page.read_text("utf-8")):
        file = named or file
        if name:
            found.add((file, name))
    return found


PROOFS = sorted(set().union(*(proofs_of(page) for page in (PAGE, SECURITY, QUEUE, FAULTS))))
OTHERS = [QUEUE, FAULTS, ROOT / "docs" / "architecture.md"]


@cache
def proofs_in(file: str) -> frozenset[str]:
    """The names of the test functions in a file, those in classes too."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    return frozenset(one.name for one in functions if one.name.startswith("test_"))


@pytest.mark.parametrize(("file", "name"), PROOFS)
def test_every_test_that_proves_a_promise_exists(file: str, name: str) -> None:
    """Renaming or deleting one shows here."""
    assert (ROOT / file).is_file()
    assert name in proofs_in(file)


def test_every_promise_has_a_test_and_a_place() -> None:
    """No row goes without, and each test stands in the row of some promise."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    promises = [line for line in lines if line.startswith("| ") and not line.startswith("| promise |")]
    assert promises == ROWS
    assert len(promises) > 50
    for line in promises:
        promise, place, proofs = (cell.strip() for cell in line.strip("|").split(" | "))
        assert promise
        assert "::" in proofs
        first = re.findall(r"`([\w./-]+)`", place)[0]
        assert (ROOT / first).exists(), first


def test_every_guarantee_of_security_has_a_test() -> None:
    """And says to whom it is given."""
    section = SECURITY.read_text(encoding="utf-8").partition("## Guarantees")[2].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 25
    for row in rows:
        assert len(row) == 4
        assert all(cell.strip() for cell in row)
        assert "::" in row[3]


@pytest.mark.parametrize("page", OTHERS, ids=lambda page: page.name)
def test_every_file_of_tests_that_another_page_names_exists(page: Path) -> None:
    """The tables beside what is explained."""
    named = re.findall(r"`((?:tests|benchmarks)/[\w/]+(?:\.py)?)`", page.read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_key_in_redis_is_in_the_table() -> None:
    """By the beginning of its name: `qa:parked:<q>` is that of `qa:parked:`."""
    written = set(re.findall(r"`(qa:[a-z:-]+)", QUEUE.read_text("utf-8")))
    sources = [*(ROOT / "qa_queue").rglob("*.py"), *(ROOT / "processors").rglob("*.py")]
    used = {key for path in sources for key in re.findall(r"\"(qa:[a-z:-]+)", path.read_text("utf-8"))}
    listed = {"qa:alerts:workers", "qa:alerts:channels", "qa:alerts:revision", "qa:alerts:watcher"}  # in one row
    assert len(used) > 25
    assert used - written - listed == set()
