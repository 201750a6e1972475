"""Regular expressions: texts that look like them, and an end to those that try every way to match."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qa_queue.cases.checks import ValueCheck
from qa_queue.cases.patterns import Regex, document_text, parse_text, search
from qa_queue.cases.traffic import RegexMatch
from qa_queue.errors import CaseError

ENDLESS, TEXT = "(a|aa)+$", "a" * 60 + "!"
SEARCHES: dict[str, Callable[[], object]] = {
    "a check of a value": ValueCheck(value=TEXT, matches=ENDLESS).fault,
    "the opposite of one": ValueCheck(value=TEXT, matches=ENDLESS, negate=True).fault,
    "a URL or message": lambda: RegexMatch(matches=ENDLESS).found_in(TEXT),
    "a name": lambda: Regex(pattern=ENDLESS).found_in(TEXT),
    "a part of a value": lambda: search(ENDLESS, TEXT),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_match_ends_in_time(name: str) -> None:
    """An expression that would take years fails with a reason, whatever is expected of it."""
    with pytest.raises(CaseError) as refused:
        SEARCHES[name]()
    text = str(refused.value)
    assert text.startswith("the regular expression /(a|aa)+$/ takes more than 0.5 s for a text of 61 characters: ")
    assert text.endswith("write it without them")


def test_an_expression_finds_a_part_of_a_text() -> None:
    """With its flags, and with its groups."""
    assert Regex(pattern="^b", flags="im").found_in("a\nB")
    assert not Regex(pattern="^b").found_in("a\nB")
    found = search(r"(\d+) €", "Total: 12 €")
    assert found is not None
    assert found[1] == "12"


@pytest.mark.parametrize("text", ["/cart/", "/a/i", r"\/cart/", "/"])
def test_a_text_between_slashes_can_be_written(text: str) -> None:
    """With a backslash before it; without one it is an expression."""
    assert parse_text(document_text(text)) == text
    assert isinstance(parse_text("/cart/"), Regex)
    assert parse_text(r"\/cart/") == "/cart/"
