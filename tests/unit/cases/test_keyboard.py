"""Keys and chords that can be pressed."""

from __future__ import annotations

import pytest

from qa_queue.cases.keyboard import key_problem
from tests.unit.cases.support import case, problems_of


@pytest.mark.parametrize(
    "chord", ["Enter", "a", "+", "Control++", "ControlOrMeta+Shift+KeyA", "F12", "${var.key}", " "]
)
def test_keys_of_the_keyboard_are_accepted(chord: str):
    """Names, characters, and chords, also of the plus sign."""
    assert key_problem(chord) is None
    assert case({"press": chord})


@pytest.mark.parametrize(
    ("chord", "problem"),
    [
        ("Entr", "unknown key 'Entr'; did you mean 'Enter'?"),
        ("Ctrl+A", "unknown key 'Ctrl'; did you mean"),
        ("hello", "unknown key 'hello'; write a text of several characters with `type`"),
    ],
)
def test_an_unknown_key_is_found_before_a_run(chord: str, problem: str):
    """With its place in the file and the nearest name."""
    (found,) = problems_of({"press": {"key": chord}})
    assert found.startswith(f"steps[0].press: {problem}")
