"""The order in which a parallel test run starts its files."""

from __future__ import annotations

from tests.conftest import LONGEST_FILES, ROOT, file_order


def test_long_files_start_first_and_those_that_compute_are_spread_among_those_that_wait():
    """Each file once; each kind is as frequent at the end as at the start."""
    waiting = ["tests/faults/test_redis.py", "tests/integration/test_a.py", "tests/integration/test_b.py"]
    browser = ["tests/browser/test_actions.py", "tests/browser/test_pages.py"]
    units = [f"tests/unit/test_{name}.py" for name in "abcdefghij"]
    long = LONGEST_FILES[0]

    ordered = file_order([*units, *reversed(browser), *waiting, long])

    assert [path for path in ordered if path in {long, *waiting}] == [long, *waiting]
    assert [path for path in ordered if path in browser] == browser
    assert [path for path in ordered if path in units] == units
    for half in (ordered[:8], ordered[8:]):
        assert [sum(path in group for path in half) for group in ({long, *waiting}, browser, units)] == [2, 1, 5]


def test_the_order_does_not_depend_on_that_of_the_collection():
    """Every process of a parallel run has to find the same one."""
    files = [*LONGEST_FILES, "tests/unit/test_a.py", "tests/unit/test_b.py", "tests/browser/test_a.py"]

    assert file_order(files) == file_order(files[::-1])


def test_the_long_files_exist():
    """A renamed one would start late."""
    assert [path for path in LONGEST_FILES if not (ROOT / path).is_file()] == []
