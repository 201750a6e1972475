"""Violations of accessibility as text, and a worker without axe."""

from __future__ import annotations

import sys

import pytest

from processors.browser import accessibility
from processors.browser.accessibility import Violation, violations_text
from processors.browser.failures import StepFailedError
from qa_queue.cases.checks import AccessibilityRules


def _violation(rule: str, *elements: str, impact: str | None = "serious") -> Violation:
    return Violation(rule=rule, impact=impact, help="Be clear", url="https://axe.example/1", elements=elements)


def test_each_rule_has_its_impact_elements_and_link() -> None:
    found = [_violation("label", '"#a"', '"#b"', '"#c"', '"#d"', '"#e"'), _violation("region", '"p"', impact=None)]

    assert violations_text(found) == (
        '2: label (serious) on "#a", "#b", "#c" and 2 more: Be clear, see https://axe.example/1; '
        'region on "p": Be clear, see https://axe.example/1'
    )


def test_after_five_rules_the_others_are_named() -> None:
    text = violations_text([_violation(f"rule-{number}", '"p"') for number in range(7)])

    assert text.startswith("7: rule-0 (serious)")
    assert text.endswith("; and rule-5, rule-6")


@pytest.mark.parametrize(
    ("wanted", "counted"),
    [
        (None, [None, "minor", "moderate", "serious", "critical"]),
        ("minor", ["minor", "moderate", "serious", "critical"]),
        ("serious", ["serious", "critical"]),
        ("critical", ["critical"]),
    ],
)
def test_violations_count_from_an_impact_on(wanted: str | None, counted: list[str | None]) -> None:
    rules = AccessibilityRules.model_validate({"impact": wanted})

    assert [one for one in (None, "minor", "moderate", "serious", "critical") if rules.counts(one)] == counted


def test_a_worker_without_axe_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    accessibility._script.cache_clear()
    monkeypatch.setitem(sys.modules, "axe_playwright_python.base", None)

    with pytest.raises(StepFailedError, match=r"needs `pip install 'qa-queue\[accessibility\]'` on the worker"):
        accessibility._script()
