"""The reference in docs/cases.md and the examples: nothing of the language is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_queue.cases.actions import CheckValue
from qa_queue.cases.checks import CHECKS, ValueCheck
from qa_queue.cases.conditions import Condition
from qa_queue.cases.reader import load_cases
from qa_queue.cases.reference import BEGIN, example_of, with_reference
from qa_queue.cases.steps import ACTIONS
from qa_queue.cases.vocabulary import key_of

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples" / "reference"
CONDITIONS = [key_of(Condition, name) for name in Condition.model_fields]
KINDS = {"actions": ACTIONS, "checks": CHECKS, "conditions": CONDITIONS}
WORDS = [(kind, word) for kind, words in KINDS.items() for word in words]
FAILS = "Fails: "


def test_the_reference_is_current() -> None:
    """`make reference` renews it after a change of the language."""
    page = (ROOT / "docs" / "cases.md").read_text(encoding="utf-8")
    assert page == with_reference(page, EXAMPLES)


@pytest.mark.parametrize(("kind", "keyword"), WORDS)
def test_every_word_has_an_example_that_passes_and_one_that_fails(kind: str, keyword: str) -> None:
    """Adding a word takes a class, a coroutine and an example; tests/browser runs the examples."""
    cases = load_cases(EXAMPLES / kind / f"{keyword}.yaml")
    assert not cases[0].name.startswith(FAILS), "the first case is shown in the reference"
    messages = [case.name.removeprefix(FAILS) for case in cases if case.name.startswith(FAILS)]
    assert messages, f"{kind}/{keyword}.yaml has no case '{FAILS}MESSAGE'"
    assert all(len(message.split()) >= 3 for message in messages)


@pytest.mark.parametrize("comparison", ValueCheck.one_of)
def test_every_comparison_passes_and_fails_in_an_example(comparison: str) -> None:
    """A comparison that no example makes would have no asserted message."""
    cases = load_cases(EXAMPLES / "actions" / "check_value.yaml")
    outcomes = {
        case.name.startswith(FAILS)
        for case in cases
        for _, step in case.steps_by_path()
        if isinstance(step.args, CheckValue) and step.args.check.comparison == comparison
    }
    assert outcomes == {True, False}


def test_no_example_is_left_over() -> None:
    """A word that was renamed takes its example along."""
    for kind, words in KINDS.items():
        assert {file.stem for file in (EXAMPLES / kind).glob("*.yaml")} == set(words)


def test_an_example_that_does_not_use_its_word_is_refused() -> None:
    """The reference would show something else."""
    with pytest.raises(ValueError, match="the example of reload does not use it"):
        example_of("reload", "cases:\n- name: x\n  steps:\n  - goto: /\n")


def test_a_page_without_markers_is_refused() -> None:
    """Nothing is appended to a page that has no place for it."""
    with pytest.raises(ValueError, match="lacks"):
        with_reference(f"# Page\n{BEGIN}\n", EXAMPLES)
