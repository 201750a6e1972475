"""Expressions that choose cases by name and tag."""

from __future__ import annotations

import pytest

from qa_queue.cases.keywords import keyword_match
from qa_queue.errors import InputError


@pytest.mark.parametrize(
    ("expression", "meant"),
    [
        ("login", True),
        ("LOG", True),
        ("smoke", True),
        ("checkout", False),
        ("not checkout", True),
        ("login and smoke", True),
        ("login and checkout", False),
        ("checkout or smoke", True),
        ("not (login or smoke)", False),
        ("login and not (checkout or slow)", True),
        ("not not login", True),
    ],
)
def test_words_stand_for_texts_that_contain_them(expression: str, meant: bool) -> None:
    """In any case, combined as pytest's -k combines them."""
    assert keyword_match(expression)(["Login of a customer", "smoke"]) is meant


@pytest.mark.parametrize("expression", ["", "and", "login and", "login or or b", "(login", "login)", "a b", "not"])
def test_an_expression_that_cannot_be_read_is_refused(expression: str) -> None:
    """With what may be written."""
    with pytest.raises(InputError, match=r"cannot be read: .*Write words"):
        keyword_match(expression)
