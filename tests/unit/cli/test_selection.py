"""Which targets of `qa-queue run` are tests of pytest."""

from pathlib import Path

import pytest

from qa_queue.cli.selection import is_suite


@pytest.mark.parametrize(
    ("target", "arguments", "expected"),
    [
        ("tests", (), True),
        ("tests/test_one.py::test_it", (), True),
        ("cases", (), False),
        ("cases/one.yaml", ("--doctest-glob=*.yaml",), False),
        ("guide.txt", (), True),  # as for pytest, whose --doctest-glob is for what is not named
        ("guide.md", (), False),
        ("guide.md", ("--doctest-glob=*.md",), True),
        ("missing.txt", (), False),
    ],
)
def test_files_that_pytest_collects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, arguments: tuple[str, ...], expected: bool
) -> None:
    for name in ("tests/test_one.py", "cases/one.yaml", "guide.txt", "guide.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    assert is_suite(target, arguments) is expected
