"""The live benchmark's judgements: what became of each step, and the rates."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from benchmarks.live.arms import as_written, with_chains, without_fallbacks
from benchmarks.live.outcomes import Outcome, Seen, outcome_of, outcomes, rates
from benchmarks.live.report import Result, document, mistakes, summary, table
from benchmarks.live.runs import shop_cases
from benchmarks.live.watch import acts
from qa_queue.cases.model import Target
from qa_queue.models import StepStatus


def seen(**overrides: Any) -> Seen:
    fields = {"number": 1, "wanted": "a", "status": StepStatus.PASSED, "acted": "a", "there": True}
    return Seen(**fields | overrides)


def result(**overrides: Any) -> Result:
    fields = {
        "version": "ids",
        "case": "login.yaml",
        "step": 2,
        "action": "click",
        "outcome": Outcome.OWN_RIGHT,
        "there": True,
        "wanted": "a",
        "acted": "a",
        "reason": None,
        "locator": None,
        "error": None,
    }
    return Result(**fields | overrides)


@pytest.mark.parametrize(
    ("step", "outcome"),
    [
        (seen(), Outcome.OWN_RIGHT),
        (seen(acted="b"), Outcome.OWN_WRONG),
        (seen(status=StepStatus.ADAPTED), Outcome.FOUND_RIGHT),
        (seen(status=StepStatus.ADAPTED, acted="b"), Outcome.FOUND_WRONG),
        (seen(status=StepStatus.ADAPTED, acted="b", there=False), Outcome.FOUND_WRONG),
        (seen(status=StepStatus.FAILED, acted=None), Outcome.REFUSED),
        (seen(status=StepStatus.FAILED, acted=None, there=False), Outcome.REFUSED_GONE),
        (seen(status=StepStatus.SKIPPED, acted=None), Outcome.UNREACHED),
        (seen(acted=None), Outcome.UNSEEN),
    ],
)
def test_a_step_is_judged_by_the_element_that_it_used(step: Seen, outcome: Outcome) -> None:
    assert outcome_of(step) is outcome


def test_what_comes_after_a_wrong_element_is_not_judged() -> None:
    steps = [seen(), seen(acted="b"), seen(), seen(status=StepStatus.FAILED)]
    assert outcomes(steps) == [Outcome.OWN_RIGHT, Outcome.OWN_WRONG, Outcome.UNREACHED, Outcome.UNREACHED]


def test_rates_are_of_the_steps_that_needed_help_and_of_those_without_their_element() -> None:
    there = Counter({Outcome.OWN_RIGHT: 50, Outcome.FOUND_RIGHT: 6, Outcome.FOUND_WRONG: 1, Outcome.REFUSED: 1})
    gone = Counter({Outcome.REFUSED_GONE: 3, Outcome.FOUND_WRONG: 1})
    found = rates(there, gone)
    assert (found.right, found.wrong, found.refused, found.there) == (75.0, 12.5, 12.5, 8)
    assert (found.false, found.gone) == (25.0, 4)


def test_rates_of_nothing_are_zero() -> None:
    assert rates(Counter(), Counter()).right == 0


def test_a_wrong_element_counts_as_false_where_the_right_one_was_gone() -> None:
    wrong = result(outcome=Outcome.FOUND_WRONG, acted="b")
    assert summary([wrong]).wrong == 100
    assert summary([result(outcome=Outcome.FOUND_WRONG, acted="b", there=False)]).false == 100


def test_the_report_counts_by_version_and_names_each_mistake() -> None:
    wrong = result(
        version="moved", outcome=Outcome.FOUND_WRONG, acted="b", locator={"css": "#x"}, reason="fallback"
    )
    results = [result(), wrong]
    told = document("chain", "words", results)
    assert {name: counts["own right"] for name, counts in told["versions"].items()} == {"ids": 1, "moved": 0}
    assert told["total"]["found wrong"] == 1
    assert [step["acted"] for step in told["steps"]] == ["b"]
    assert told["reasons"] == {"fallback": {"right": 0, "wrong": 1}}
    assert list(table("chain", "words", results))[-1] == "  fallback: 0 right, 1 wrong"
    assert "login.yaml:2" in next(mistakes(results))


def test_assertions_neither_end_a_run_nor_are_given_fallbacks() -> None:
    case = shop_cases()["login.yaml"]
    chains = {number: [{"css": "#x"}] for number in range(1, len(case.steps) + 1)}
    prepared = with_chains(case, chains)
    assert [step.soft for step in prepared.steps] == [step.action == "expect" for step in case.steps]
    assert prepared.heal == "off"
    assert prepared.steps[3].args.target.fallbacks[-1] == Target(css="#x")
    assert prepared.steps[4].args == case.steps[4].args


def test_a_recorded_fallback_is_sought_in_the_frame_of_its_target() -> None:
    case = shop_cases()["review.yaml"]
    (step,) = [s for s in with_chains(case, {3: [{"css": "#name"}]}).steps if s.id == "step-3"]
    assert step.args.target.fallbacks == (Target(css="#name", frame=step.args.target.frame),)


def test_the_healing_arm_runs_cases_with_their_own_targets() -> None:
    for case in shop_cases().values():
        prepared = as_written(case, {})
        assert [step.args for step in prepared.steps] == [step.args for step in case.steps]
        assert prepared.heal == "auto"


def test_led_steps_have_no_fallbacks() -> None:
    case = without_fallbacks(shop_cases()["recorded-order.json"], {})
    assert {step.args.target.fallbacks for step in case.steps if acts(step)} == {()}


def test_every_case_acts_on_elements_but_the_one_that_only_looks() -> None:
    acting = {name: sum(acts(step) for step in case.steps) for name, case in shop_cases().items()}
    assert [name for name, number in acting.items() if number == 0] == ["slow-page.yaml"]
    assert sum(acting.values()) > 70
