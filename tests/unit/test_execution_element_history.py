"""What a step is given of what is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from processors.base import Claims
from processors.browser.protocol import NO_HINTS, Found, Match, StepOutcome
from processors.execution.element_history import (
    EVERY_NTH_RUN,
    ElementHistory,
    fingerprint_row,
    hints_for,
    mode_of,
    others_of,
    steps_of_flows,
    with_shared,
)
from processors.execution.plan import RunPlan, plan_run
from processors.healing.fingerprint import Fingerprint
from qa_queue.cases.model import Target
from qa_queue.cases.reader import parse_case
from qa_queue.models import TestConfig, TestJobData
from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import CaseKnowledge, digest
from tests.support.records import NOON, case_record, fingerprint_record, pattern_record, verdict_record
from tests.support.steps import case, expect, goto, on

CASE = case_record()
KEY = "2:click"
LEARNED = {"text": "Go"}
RARE_RUN, COMMON_RUN = f"{0:032x}", f"{EVERY_NTH_RUN + 1:032x}"


def plan(*, run: str = COMMON_RUN, config: dict[str, Any] | None = None, **fields: Any) -> RunPlan:
    data = TestJobData(test_case_id=CASE.id, test_run_id=run, config=TestConfig(**config or {}))
    return plan_run(case(goto("/"), on("click", "#go"), expect("#go", visible=True), **fields), data, {})


def known(**overrides: Any) -> CaseKnowledge:
    row = fingerprint_record(CASE, step_key=KEY, page="/")
    return CaseKnowledge(**{"fingerprints": (row,), **overrides})


def pattern(confidence: float = 0.3, **overrides: Any) -> Any:
    fields = {"step_key": KEY, "locator": LEARNED, "confidence": confidence, "learned": True}
    return pattern_record(CASE, **fields | overrides)


def test_the_steps_word_goes_before_the_cases() -> None:
    """A check is healed by its own word alone, a step without an element never."""
    assert [mode_of(plan(heal="suggest"), step) for step in plan().steps] == ["off", "suggest", "off"]
    off = plan(heal="off").steps[1]
    own = replace(off, written=off.written.model_copy(update={"heal": "auto"}))
    assert mode_of(plan(heal="off"), own) == "auto"


def test_an_unknown_step_is_looked_at() -> None:
    """Nothing to heal from; its fingerprint is wanted."""
    hints = hints_for(plan(), plan().steps[1], CaseKnowledge(), 0)
    assert (hints.old, hints.take) == (None, True)


@pytest.mark.parametrize(("run", "take"), [(RARE_RUN, True), (COMMON_RUN, False)])
def test_a_known_step_is_looked_at_now_and_then(run: str, take: bool) -> None:
    """By the run's id."""
    hints = hints_for(plan(run=run), plan().steps[1], known(), 0)
    assert (hints.take, hints.old) == (take, Fingerprint(tag="button", text="Go"))


def test_another_target_needs_another_fingerprint() -> None:
    """The case names another element now: the old one's looks say nothing."""
    row = fingerprint_record(CASE, step_key=KEY, target_hash=digest({"css": "#other"}))
    assert hints_for(plan(), plan().steps[1], known(fingerprints=(row,)), 0).old is None


def test_the_number_of_adaptations_is_limited() -> None:
    """What is beyond it is not healed."""
    config = {"max_adaptations": 2}
    modes = [hints_for(plan(config=config), plan().steps[1], known(), adapted).mode for adapted in (1, 2)]
    assert modes == ["auto", "off"]
    assert hints_for(plan(heal="off"), plan().steps[1], known(), 0) == NO_HINTS


@pytest.mark.parametrize(
    ("patterns", "verdicts", "learned"),
    [
        ((pattern(),), (), LEARNED),
        ((pattern(0.1),), (), None),
        ((pattern(learned=False),), (), None),
        ((pattern(step_key="9:click"),), (), None),
        ((pattern(), pattern(0.5, locator={"css": "#b"})), (), {"css": "#b"}),
        ((pattern(),), (verdict_record(CASE, step_key=KEY, locator=LEARNED),), None),
        ((), (verdict_record(CASE, step_key=KEY, locator=LEARNED, verdict="accepted"),), LEARNED),
    ],
    ids=["earned", "not earned", "the case's own", "of another step", "best", "rejected", "accepted"],
)
def test_what_is_tried_first(patterns: Any, verdicts: Any, learned: dict[str, str] | None) -> None:
    """A locator that has earned it, or that somebody accepted; never a rejected one."""
    hints = hints_for(plan(), plan().steps[1], known(patterns=patterns, verdicts=verdicts), 0)
    assert hints.learned == (None if learned is None else Target.model_validate(learned))


@pytest.mark.parametrize(
    ("judged", "text"),
    [(None, "Go"), ("rejected", "Go"), ("accepted", "Go now")],
)
def test_a_heal_counts_once_a_person_accepted_it(judged: str | None, text: str) -> None:
    """Until then an element is compared with the one that passed without a heal."""
    healed = {"locator": LEARNED, "document": {"tag": "button", "text": "Go now"}}
    row = fingerprint_record(CASE, step_key=KEY, page="/", healed=healed)
    verdicts = [verdict_record(CASE, step_key=KEY, locator=LEARNED, verdict=judged)] if judged else []
    hints = hints_for(plan(), plan().steps[1], known(fingerprints=(row,), verdicts=tuple(verdicts)), 0)
    assert hints.old is not None
    assert hints.old.text == text


def test_others_are_on_the_same_page_and_other_elements() -> None:
    """Another step on the same element does not count."""
    at = {"tag": "a", "xpath": "/html[1]/a[1]"}
    rows = [
        fingerprint_record(CASE, step_key=key, document=document, page=page)
        for key, document, page in [
            ("1", at, "/"),
            ("2", at | {"text": "again"}, "/"),
            ("3", {"tag": "b", "xpath": "/html[1]/b[1]"}, "/"),
            ("4", {"tag": "i", "xpath": "/html[1]/i[1]"}, "/else"),
        ]
    ]
    assert [other.tag for other in others_of(rows[0], rows)] == ["b"]


def test_a_row_is_made_when_something_changed() -> None:
    """Not for the same looks; a learned locator's element is kept beside what the case names."""
    step, same = plan().steps[1], Fingerprint(tag="button", text="Go")
    assert fingerprint_row(plan(), step, StepOutcome(fingerprint=same), known()) is None
    new = replace(same, text="Go now")
    row = fingerprint_row(plan(), step, StepOutcome(fingerprint=new), known())
    assert row is not None
    assert (row.document, row.healed) == ({"tag": "button", "text": "Go now"}, None)
    matches = (Match(count=0, same=False), Match(count=1, same=True))
    by_learned = Found(index=1, matches=matches, learned=Target.model_validate(LEARNED))
    kept = fingerprint_row(plan(), step, StepOutcome(fingerprint=new, found=by_learned), known())
    assert kept is not None
    assert (kept.document, kept.healed) == (
        {"tag": "button", "text": "Go"},
        {"locator": LEARNED, "document": {"tag": "button", "text": "Go now"}},
    )
    assert kept.seen_at - NOON == timedelta(0)


def test_a_failed_step_leaves_no_fingerprint() -> None:
    outcome = StepOutcome(fingerprint=Fingerprint(tag="button"), error="no")
    assert fingerprint_row(plan(), plan().steps[1], outcome, CaseKnowledge()) is None


async def test_of_runs_at_once_one_takes_an_elements_fingerprint() -> None:
    """The next run does where the first one ended without a row for it."""
    store, claims, step = MemoryStore(), Claims(), plan().steps[1]
    with ElementHistory(plan(), store, claims) as first, ElementHistory(plan(), store, claims) as second:
        assert [(await one.hints(step, 0)).take for one in (first, second, first)] == [True, False, True]
    with ElementHistory(plan(), store, claims) as third:
        assert (await third.hints(step, 0)).take


FLOW = {"flow": "Buy", "steps": [{"click": {"css": "#buy"}}, {"click": {"css": "#pay"}}]}
OTHER = case_record()
BUY, PAY = "buy.yaml:1:click", "buy.yaml:2:click"


def with_flow() -> RunPlan:
    document = {"name": "Order", "flows": {"buy.yaml": FLOW}, "steps": [{"use": {"flow": "buy.yaml"}}]}
    data = TestJobData(test_case_id=CASE.id, test_run_id=COMMON_RUN)
    return plan_run(parse_case(document, source="case"), data, {})


def of_other(key: str, css: str, **fields: Any) -> Any:
    return fingerprint_record(OTHER, step_key=key, target_hash=digest({"css": css}), **fields)


def test_steps_of_flows_are_known_from_other_cases() -> None:
    """The latest row of the same target, with its locators and verdicts; not those of a target of another kind."""
    same, changed = of_other(BUY, "#buy"), of_other(PAY, "#pay-now")
    locators = [pattern_record(OTHER, step_key=key, locator=LEARNED, learned=True) for key in (BUY, PAY)]
    verdicts = [verdict_record(OTHER, step_key=key) for key in (BUY, PAY)]
    found = CaseKnowledge(fingerprints=(same, changed), patterns=tuple(locators), verdicts=tuple(verdicts))

    assert with_shared(with_flow(), CaseKnowledge(), found) == CaseKnowledge(
        fingerprints=(same,), patterns=(locators[0],), verdicts=(verdicts[0],)
    )


def test_what_a_case_knows_itself_goes_first() -> None:
    """A row of its own for the same target leaves the other one out."""
    own = fingerprint_record(CASE, step_key=BUY, target_hash=digest({"css": "#buy"}))
    mine = CaseKnowledge(fingerprints=(own,))

    assert with_shared(with_flow(), mine, CaseKnowledge(fingerprints=(own, of_other(BUY, "#buy")))) == mine


def test_a_case_without_flows_reads_its_own_rows_alone() -> None:
    """One read, as long as there is nothing to share."""
    assert steps_of_flows(plan()) == {}
    assert steps_of_flows(with_flow()) == {BUY: digest({"css": "#buy"}), PAY: digest({"css": "#pay"})}
