"""JSON with the lines of its values."""

from __future__ import annotations

import pytest

from qa_queue.cases.yaml_source import read_json
from qa_queue.errors import CaseError


def test_every_value_has_its_line():
    """Strings that hold brackets, colons and escaped quotes do not confuse the count."""
    document, lines, problems = read_json('{\n "a": [1,\n  {"b": "]}:, \\" \\n"}],\n "c":\n  null\n}', "case.json")

    assert document == {"a": [1, {"b": ']}:, " \n'}], "c": None}
    assert lines == {(): 1, ("a",): 2, ("a", 0): 2, ("a", 1): 3, ("a", 1, "b"): 3, ("c",): 4}
    assert problems == []


def test_a_repeated_key_is_reported():
    """JSON parsers drop the first value without a word."""
    _, _, problems = read_json('{"a": {"b": 1,\n"b": 2}, "b": 3}', "case.json")

    assert [str(problem) for problem in problems] == ["case.json:2: a.b: key 'b' is there twice"]


@pytest.mark.parametrize("text", ["true", "[]", "{}", '"a"', "-1.5e3"])
def test_a_document_may_be_any_value(text: str):
    """The model decides which kind it has to be."""
    assert read_json(text, "case.json")[1] == {(): 1}


def test_endless_nesting_is_refused():
    """It does not run out of stack."""
    with pytest.raises(CaseError, match="is nested too deep"):
        read_json("[" * 200_000, "case.json")
