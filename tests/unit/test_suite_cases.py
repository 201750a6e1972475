"""Cases of the tests of a suite: which tests form a run, and what it is called."""

from __future__ import annotations

from typing import Any

import pytest

from qa_queue.suites.cases import Grouping, SuiteOptions, case_of_tests, grouped
from qa_queue.suites.process import CollectedTest

OPTIONS = SuiteOptions(root="/work", node_root="/work/shop", arguments=("tests",))


def collected(test_id: str, **fields: Any) -> CollectedTest:
    """A test as pytest collects it."""
    file, _, name = test_id.partition("::")
    class_id = f"{file}::{name.split('::')[0]}" if "::" in name else None
    defaults: dict[str, Any] = {"markers": (), "group": None, "shared": ()}
    return CollectedTest(
        **{"id": test_id, "file": file, "line": 1, "name": name, "class_id": class_id} | defaults | fields
    )


TESTS = [
    collected("a.py::test_1"),
    collected("a.py::TestX::test_2", shared=("class:account",)),
    collected("a.py::TestX::test_3", shared=("class:account",)),
    collected("b.py::test_4", shared=("module:api",)),
    collected("b.py::test_5", shared=("module:api",)),
    collected("b.py::test_6"),
    collected("c.py::test_7", group="order"),
    collected("a.py::test_8", group="order"),
]


@pytest.mark.parametrize(
    ("by", "numbers"),
    [
        (Grouping.AUTO, ["1", "23", "45", "6", "78"]),
        (Grouping.TEST, ["1", "2", "3", "4", "5", "6", "78"]),
        (Grouping.FILE, ["123", "456", "78"]),
        (Grouping.CLASS, ["1", "23", "4", "5", "6", "78"]),
    ],
)
def test_tests_are_grouped_as_wanted_and_a_marker_always_counts(by: Grouping, numbers: list[str]) -> None:
    """By default only those that share a fixture of their class or module stay together."""
    assert ["".join(test.id[-1] for test in group) for group in grouped(TESTS, by)] == numbers


def test_a_case_has_the_tests_their_markers_and_time_for_each() -> None:
    """Its key begins with the suite's folder, so that suites of one service do not mix."""
    tests = [collected("b.py::test_4", markers=("smoke", "parametrize")), collected("b.py::test_5")]
    case = case_of_tests(tests, OPTIONS)
    assert (case.key, case.name, case.tags, case.timeout_ms) == ("shop: b.py", "b.py", ("smoke",), 600_000)
    assert case.pytest is not None
    assert case.pytest.tests == ("b.py::test_4", "b.py::test_5")
    assert case.pytest.tags == {"b.py::test_4": ("smoke",), "b.py::test_5": ()}
    alike = case_of_tests([collected("b.py::test_4", markers=("smoke",))], OPTIONS)
    assert alike.pytest is not None
    assert alike.pytest.tags == {}


def test_values_travel_with_the_run_and_references_with_the_case() -> None:
    """So a case does not change with the values of one run."""
    options = SuiteOptions(root="/", node_root="/", env={"URL": "http://x", "PASSWORD": "${secret.SHOP}"})
    case = case_of_tests([collected("a.py::test_1")], options)
    assert case.pytest is not None
    assert case.pytest.env == {"URL": "${env.URL}", "PASSWORD": "${secret.SHOP}"}


def test_long_ids_and_ids_that_look_like_references_still_name_a_case() -> None:
    """Two that differ at their end stay two."""
    names = [f"a.py::test_it[{'x' * 300}{end}${{env.X}}]" for end in "ab"]
    keys = {case_of_tests([collected(name)], OPTIONS).key for name in names}
    assert len(keys) == 2
    assert not [key for key in keys if len(key) > 200 or "${" in key]
