"""Allure results."""

from __future__ import annotations

import json
from pathlib import Path

from qa_queue.models.outcomes import Outcome
from qa_queue.reports.allure import write_allure
from qa_queue.reports.model import Evidence
from tests.support.report_values import attempt, failed_test, flaky_test, make_report, passed_test


def results(folder: Path) -> list[dict[str, object]]:
    """All result files, by start and name."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*-result.json"))]


def test_each_attempt_is_a_result_with_the_history_of_its_test(tmp_path: Path) -> None:
    """So Allure shows the failed attempt of a flaky test as a retry."""
    assert write_allure(make_report(flaky_test(), passed_test()), tmp_path) == 3
    found = results(tmp_path)
    cart = [one for one in found if one["name"] == "Cart"]
    assert [one["status"] for one in sorted(cart, key=lambda one: int(str(one["start"])))] == ["failed", "passed"]
    assert len({str(one["historyId"]) for one in cart}) == 1
    assert len({str(one["historyId"]) for one in found}) == 2


def test_a_failure_has_its_message_steps_and_files(tmp_path: Path) -> None:
    """Attachments are copied beside the results."""
    picture = tmp_path / "shot.png"
    picture.write_bytes(b"png")
    file = Evidence(
        kind="screenshot", name="shot.png", content_type="image/png", size_bytes=3, attempt=1, path=str(picture)
    )
    failed = failed_test()
    tries = (failed.attempts[0].model_copy(update={"evidence": (file,)}),)
    noted = failed.model_copy(update={"attempts": tries, "notes": ("step 4 was lost",)})
    write_allure(make_report(noted), tmp_path / "allure")
    (result,) = results(tmp_path / "allure")
    assert result["description"] == "note: step 4 was lost"
    assert "expected text 'Welcome'" in str(result["statusDetails"])
    assert [one["status"] for one in result["steps"]] == ["passed", "failed"]  # type: ignore[attr-defined]
    (attachment,) = result["attachments"]  # type: ignore[misc]
    assert (tmp_path / "allure" / attachment["source"]).read_bytes() == b"png"  # type: ignore[call-overload]


def test_infrastructure_is_broken_and_a_test_without_attempts_has_a_result(tmp_path: Path) -> None:
    """A run that was cancelled before it started is skipped."""
    report = make_report(
        passed_test("a", outcome=Outcome.ERROR, attempts=(attempt(outcome=Outcome.ERROR),)),
        passed_test("b", outcome=Outcome.CANCELLED, attempts=()),
    )
    write_allure(report, tmp_path)
    assert {str(one["name"]): one["status"] for one in results(tmp_path)} == {"a": "broken", "b": "skipped"}
