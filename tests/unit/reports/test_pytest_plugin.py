"""`pytest --qa-report`: suites of their own, run by pytest as users run it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from junitparser import JUnitXml

from qa_queue.reports.model import CheckComparison
from qa_queue.reports.phases import compared
from qa_queue.reports.pytest_facts import title_of
from tests.support.pytest_arguments import without_plugins

pytest_plugins = ["pytester"]

SUITE = """
import pytest
import qa_queue.reports.steps as qa

@pytest.fixture
def broken():
    raise RuntimeError("no database")

@pytest.mark.smoke
def test_steps():
    with qa.step("Open the cart"):
        with qa.step("Sign in"):
            pass
    with qa.step("Pay"):
        pass

def test_fails():
    password = "hunter2"
    with qa.step("Compare"):
        assert "Sorry" == "Welcome"

def test_fixture(broken):
    pass

@pytest.mark.skip(reason="needs a printer")
def test_skipped():
    pass

@pytest.mark.xfail(reason="bug 17")
def test_expected():
    assert False

@pytest.mark.parametrize("n", [1, 2])
def test_rows(n):
    print("row", n)
"""
INI = "[pytest]\nmarkers = smoke: quick\n"


def report_of(
    pytester: pytest.Pytester, *arguments: str, suite: str = SUITE, plugins: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Run a suite with a JSON report and return it."""
    pytester.makeini(INI)
    pytester.makepyfile(test_shop=suite)
    pytester.runpytest_subprocess("--qa-report=out/report.json", *without_plugins(keep=plugins), *arguments)
    document: dict[str, Any] = json.loads((pytester.path / "out" / "report.json").read_text())
    return document


def by_name(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The tests of a report by name."""
    return {test["name"]: test for test in document["tests"]}


@pytest.mark.parametrize(("plugins", "arguments"), [((), ()), (("xdist",), ("-n", "1"))], ids=["alone", "xdist"])
def test_outcomes_and_named_steps(
    pytester: pytest.Pytester, plugins: tuple[str, ...], arguments: tuple[str, ...]
) -> None:
    """A broken fixture is an error; a skip and an expected failure do not fail; steps stand within their phase."""
    document = report_of(pytester, *arguments, plugins=plugins)
    assert document["counts"] == {"passed": 3, "failed": 1, "error": 1, "skipped": 1, "expected_failure": 1}
    tests = by_name(document)
    broken = tests["test_fixture"]
    assert (broken["error_kind"], broken["error"]) == ("setup", "RuntimeError: no database")
    assert tests["test_skipped"]["error"] == "needs a printer"
    assert tests["test_expected"]["error"] == "bug 17"
    assert tests["test_steps"]["tags"] == ["smoke"]
    assert {name for name in tests if name.startswith("test_rows")} == {"test_rows[1]", "test_rows[2]"}
    steps = tests["test_steps"]["attempts"][0]["steps"]
    assert [(step["position"], step["name"], step["outcome"]) for step in steps] == [
        ("1", "setup", "passed"),
        ("2", "call", "passed"),
        ("2.1", "Open the cart", "passed"),
        ("2.1.1", "Sign in", "passed"),
        ("2.2", "Pay", "passed"),
        ("3", "teardown", "passed"),
    ]
    failed = [step for step in tests["test_fails"]["attempts"][0]["steps"] if step["outcome"] == "failed"]
    assert [step["position"] for step in failed] == ["2", "2.1"]
    assert failed[0]["comparison"] == {"expected": "'Welcome'", "actual": "'Sorry'"}


def test_tracebacks_and_output_are_kept_and_local_secrets_masked(pytester: pytest.Pytester) -> None:
    """Also with --showlocals."""
    tests = by_name(report_of(pytester, "--showlocals"))
    traceback = tests["test_fails"]["attempts"][0]["sections"]["Traceback"]
    assert "password   = '***'" in traceback
    assert "hunter2" not in traceback
    assert tests["test_rows[1]"]["attempts"][0]["sections"] == {"Captured stdout call": "row 1\n"}


def test_a_file_that_cannot_be_collected_is_an_error(pytester: pytest.Pytester) -> None:
    """The report is written all the same."""
    document = report_of(pytester, suite="import nothing_of_this_name")
    assert document["outcome"] == "error"
    (test,) = document["tests"]
    assert test["error_kind"] == "collection"
    assert "nothing_of_this_name" in test["error"]


def test_failed_subtests_fail_their_test_and_a_missing_fixture_is_named(pytester: pytest.Pytester) -> None:
    """Each with its values; pytest itself counts the test of a TestCase as passed."""
    pytest.importorskip("_pytest.subtests")
    suite = """
import unittest

class TestRows(unittest.TestCase):
    def test_rows(self):
        for row in range(3):
            with self.subTest("row", row=row):
                self.assertNotEqual(row, 1)

    def test_good(self):
        with self.subTest(row=1):
            pass

def test_plain(subtests):
    with subtests.test("first"):
        assert 1 == 2

def test_lacks(no_such_fixture):
    pass
"""
    tests = {test["name"]: test for test in report_of(pytester, suite=suite)["tests"]}
    assert [(name, test["outcome"], len(test["attempts"])) for name, test in tests.items()] == [
        ("TestRows > test_good", "passed", 1),
        ("TestRows > test_rows", "failed", 1),
        ("test_plain", "failed", 1),
        ("test_lacks", "error", 1),
    ]
    assert tests["TestRows > test_rows"]["error"].startswith("subtest [row] (row=1): AssertionError: 1 == 1")
    assert tests["test_plain"]["error"].startswith("subtest [first]: assert 1 == 2")
    assert tests["test_lacks"]["error"] == "fixture 'no_such_fixture' not found"


def test_half_characters_reach_every_format(pytester: pytest.Pytester) -> None:
    """A text that no file can hold is written with its code."""
    pytester.makepyfile(
        "import pytest\nimport qa_queue.reports.steps as qa\ndef test_it():\n"
        "    with qa.step('step \\ud801'): pytest.fail('why \\ud802')\n"
    )
    files = [f"r.{ending}" for ending in ("html", "xml", "json", "md", "txt")]
    result = pytester.runpytest_subprocess(*(f"--qa-report={file}" for file in files), *without_plugins())
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (test,) = json.loads((pytester.path / "r.json").read_text())["tests"]
    assert test["error"] == "Failed: why \\ud802"
    assert "step \\ud801" in [step["name"] for step in test["attempts"][0]["steps"]]
    assert all("ud802" in (pytester.path / file).read_text() for file in files)


@pytest.mark.parametrize(
    ("node_id", "title"),
    [
        ("test_a.py::TestB::test_c[x::y]", "TestB > test_c[x::y]"),
        ("a/test_a.py::test_b", "test_b"),
        ("a/test_a.py", "a/test_a.py"),
    ],
)
def test_a_test_is_named_within_its_file(node_id: str, title: str) -> None:
    """A parameter stays as it is written."""
    assert title_of(node_id) == title


def test_several_formats_at_once(pytester: pytest.Pytester) -> None:
    """Each by its ending."""
    pytester.makepyfile("def test_a(): pass")
    result = pytester.runpytest_subprocess(
        "--qa-report=r.html", "--qa-report=r.xml", "--qa-report-title=Shop & Co", *without_plugins()
    )
    assert result.ret == 0
    assert JUnitXml.fromfile(str(pytester.path / "r.xml")).tests == 1
    assert "<title>Shop &amp; Co: passed</title>" in (pytester.path / "r.html").read_text()
    result.stdout.fnmatch_lines(["*qa-queue report: *r.html"])


def test_an_unknown_ending_is_refused_before_any_test_runs(pytester: pytest.Pytester) -> None:
    """With the endings that exist."""
    pytester.makepyfile("def test_a(): pass")
    result = pytester.runpytest_subprocess("--qa-report=report.pdf", *without_plugins())
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--qa-report=report.pdf: the ending decides the format; use one of .html, *"])


def test_without_a_report_the_plugin_stays_light(pytester: pytest.Pytester) -> None:
    """It imports nothing of the service, and `step` does nothing."""
    pytester.makepyfile(
        """
        import sys

        def test_light():
            assert "qa_queue.reports.pytest_plugin" in sys.modules
            assert "qa_queue.reports.model" not in sys.modules
        """
    )
    pytester.runpytest_subprocess(*without_plugins()).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "AssertionError: Locator expected to have text 'A'\nActual value: B \nCall log:\n  - waiting",
            CheckComparison(expected="to have text 'A'", actual="B"),
        ),
        ("AssertionError: assert 'x' == 'y'\n  - y\n  + x", CheckComparison(expected="'y'", actual="'x'")),
        ("ValueError: no", None),
        (None, None),
    ],
)
def test_both_sides_of_an_assertion(message: str | None, expected: CheckComparison | None) -> None:
    """Of Playwright's `expect` and of a plain comparison."""
    assert compared(message) == expected
