"""Factories of report values, with overrides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from qa_queue.models.outcomes import Outcome
from qa_queue.reports.model import CheckComparison, Report, ReportStep, Test, TestAttempt

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def step(position: str = "1", **fields: Any) -> ReportStep:
    """A step that passed."""
    return ReportStep(
        **{"position": position, "name": f"step {position}", "outcome": Outcome.PASSED, "duration_ms": 5} | fields
    )


def failed_step(position: str = "2", **fields: Any) -> ReportStep:
    """A step whose check failed."""
    error = "expected text 'Welcome', found 'Sorry' in 5000 ms on #greeting"
    compared = CheckComparison(expected="text 'Welcome'", actual="'Sorry'")
    return step(position, **{"outcome": Outcome.FAILED, "error": error, "comparison": compared} | fields)


def attempt(number: int = 1, **fields: Any) -> TestAttempt:
    """An attempt of one step that passed."""
    return TestAttempt(
        **{"number": number, "outcome": Outcome.PASSED, "duration_ms": 5, "steps": (step(),)} | fields
    )


def passed_test(name: str = "Sign in", **fields: Any) -> Test:
    """A test that passed at the first attempt."""
    values: dict[str, Any] = {
        "id": name,
        "name": name,
        "suite": "login.yaml",
        "outcome": Outcome.PASSED,
        "worker": "worker-1",
        "started_at": START,
        "finished_at": START + timedelta(seconds=1),
        "duration_ms": 1000,
        "attempts": (attempt(),),
    }
    return Test(**values | fields)


def failed_test(name: str = "Greeting", **fields: Any) -> Test:
    """A test that failed in its second step."""
    tries = (attempt(outcome=Outcome.FAILED, steps=(step(), failed_step())),)
    error = "step 2: expected text 'Welcome', found 'Sorry' in 5000 ms on #greeting"
    values = {"outcome": Outcome.FAILED, "attempts": tries, "error": error, "error_kind": "assertion"}
    return passed_test(name, **values | fields)


def flaky_test(name: str = "Cart", **fields: Any) -> Test:
    """A test that failed, then passed."""
    tries = (attempt(outcome=Outcome.FAILED, steps=(failed_step("1"),)), attempt(2))
    return passed_test(name, **{"outcome": Outcome.FLAKY, "attempts": tries} | fields)


def make_report(*tests: Test, **fields: Any) -> Report:
    """A batch of tests."""
    values: dict[str, Any] = {"title": "Nightly", "kind": "batch", "created_at": START, "tests": tests}
    return Report(**values | fields)
