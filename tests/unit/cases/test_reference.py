"""The reference in docs/cases.md and the examples: nothing of the language is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_queue.cases.checks import CHECKS
from qa_queue.cases.reader import load_cases
from qa_queue.cases.reference import BEGIN, example_of, with_reference
from qa_queue.cases.steps import ACTIONS

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples" / "reference"
WORDS = [("actions", keyword) for keyword in ACTIONS] + [("checks", keyword) for keyword in CHECKS]
CANNOT_FAIL = ("set_viewport",)


def test_the_reference_is_current() -> None:
    """`make reference` renews it after a change of the language."""
    page = (ROOT / "docs" / "cases.md").read_text(encoding="utf-8")
    assert page == with_reference(page, EXAMPLES)


@pytest.mark.parametrize(("kind", "keyword"), WORDS)
def test_every_word_has_an_example_that_passes_and_one_that_fails(kind: str, keyword: str) -> None:
    """Adding a word takes a class, a coroutine and an example; tests/browser runs the examples."""
    fails = [case.name.startswith("Fails: ") for case in load_cases(EXAMPLES / kind / f"{keyword}.yaml")]
    assert not fails[0], "the first case is shown in the reference"
    assert any(fails) or keyword in CANNOT_FAIL


def test_no_example_is_left_over() -> None:
    """A word that was renamed takes its example along."""
    for kind, words in (("actions", ACTIONS), ("checks", CHECKS)):
        assert {file.stem for file in (EXAMPLES / kind).glob("*.yaml")} == set(words)


def test_an_example_that_does_not_use_its_word_is_refused() -> None:
    """The reference would show something else."""
    with pytest.raises(ValueError, match="the example of reload does not use it"):
        example_of("reload", "cases:\n- name: x\n  steps:\n  - goto: /\n")


def test_a_page_without_markers_is_refused() -> None:
    """Nothing is appended to a page that has no place for it."""
    with pytest.raises(ValueError, match="lacks"):
        with_reference(f"# Page\n{BEGIN}\n", EXAMPLES)
