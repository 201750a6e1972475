"""The order in which a parallel test run starts its files."""

from __future__ import annotations

from tests.conftest import LONGEST_FILES, ROOT, file_order


def test_long_files_start_first_and_unit_tests_fill_the_gaps_and_the_end():
    """Each file once; two files of processes for each of unit tests, while there are both."""
    units = [f"tests/unit/test_{name}.py" for name in "abcde"]
    short = ["tests/browser/test_pages.py", "tests/faults/test_redis.py"]

    ordered = file_order([*units, *short, *LONGEST_FILES[:2]])

    assert ordered == [*LONGEST_FILES[:2], units[0], short[1], short[0], *units[1:]]


def test_the_long_files_exist():
    """A renamed one would start late."""
    assert [path for path in LONGEST_FILES if not (ROOT / path).is_file()] == []
