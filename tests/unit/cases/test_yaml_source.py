"""YAML as data: its scalars, its aliases and merges, and the tricks that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from qa_queue.cases.yaml_source import read_yaml
from qa_queue.errors import CaseError


def refusal(text: str) -> str:
    """The message about a text that is refused at once."""
    with pytest.raises(CaseError) as caught:
        read_yaml(text, "case.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("text", "text"),
        ("'007'", "007"),
        ("12", 12),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("-1", -1),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("off", "off"),
        ("on", "on"),
        ("null", None),
        ("~", None),
        ("", None),
        ("2026-01-08", "2026-01-08"),
        ('"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        ("!!str 12", "12"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written: str, value: Any):
    """`off` and `yes` are words, a date is text, an octal number has 0o."""
    assert read_yaml(f"a: {written}\n", "case.yaml")[0] == {"a": value}


def test_every_value_has_its_line():
    """A key's line is where it stands; an item's where it begins."""
    _, lines, _ = read_yaml("a: 1\nb:\n- x\n- c: 2\n  d: 3\n", "case.yaml")

    assert lines == {(): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "c"): 4, ("b", 1, "d"): 5}


def test_aliases_and_merges_are_values():
    """An alias repeats a value; `<<` gives what the mapping itself does not have."""
    text = "a: &x {p: 1, q: 2}\nb: *x\nc: {<<: *x, q: 3}\nd: {<<: [{p: 5}, *x]}\n"

    assert read_yaml(text, "case.yaml")[0] == {
        "a": {"p": 1, "q": 2},
        "b": {"p": 1, "q": 2},
        "c": {"p": 1, "q": 3},
        "d": {"p": 5, "q": 2},
    }


def test_an_anchor_may_be_set_again():
    """YAML allows it; the later one counts from there on."""
    assert read_yaml("a: &x 1\nb: &x 2\nc: *x\n", "case.yaml")[0]["c"] == 2


def test_keys_are_text():
    """`1:` and `true:` are keys by their spelling."""
    assert read_yaml("1: a\ntrue: b\n", "case.yaml")[0] == {"1": "a", "true": "b"}


def test_a_repeated_key_is_reported_at_its_second_place():
    """YAML forbids it, and the first value would be lost silently."""
    _, _, problems = read_yaml("a:\n  b: 1\n  c: 2\n  b: 3\n", "case.yaml")

    assert [str(problem) for problem in problems] == ["case.yaml:4: a.b: key 'b' is there twice"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "a: !python/object:os.system x\n",
            "case.yaml:1: a: the tag '!python/object:os.system' has no meaning in a case",
        ),
        ("a: !!binary aGk=\n", "case.yaml:1: a: the tag 'tag:yaml.org,2002:binary' has no meaning in a case"),
        ("a: !!int foo\n", "case.yaml:1: a: 'foo' cannot be read as !!int; put it in quotes if it is text"),
        (
            f"a: {'9' * 5000}\n",
            "case.yaml:1: a: a number of 5000 digits is too large; put it in quotes if it is text",
        ),
        ("a: !!bool maybe\n", "case.yaml:1: a: 'maybe' cannot be read as !!bool"),
        ("? [a]\n: 1\n", "case.yaml:1: a key must be a word, not a list or mapping"),
        ("a: {<<: 5}\n", "case.yaml:1: a: '<<' takes a mapping or a list of mappings"),
    ],
)
def test_what_yaml_can_say_and_a_case_cannot(text: str, problem: str):
    """Such values are reported with their line, beside all other problems."""
    assert str(read_yaml(text, "case.yaml")[2][0]).startswith(problem)


def test_aliases_that_multiply_are_refused():
    """Nine levels of nine aliases would be a thousand million values."""
    levels = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 10)]

    assert "its aliases repeat more than 50000 values" in refusal("\n".join(levels))


def test_an_alias_inside_itself_is_refused():
    """It has no end."""
    assert refusal("a: &x\n- 1\n- *x\n") == "case.yaml:1: an alias stands inside the value that it repeats"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100 + "]" * 100, "is nested more than 60 deep"),
        ("[" * 5000 + "]" * 5000, "is nested more than 60 deep"),
    ],
)
def test_endless_nesting_is_refused(text: str, message: str):
    """Neither the parser nor the reader runs out of stack."""
    assert message in refusal(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\nb: 3\n", "case.yaml:2: not YAML: "),
        ("a: 1\n---\nb: 2\n", "case.yaml:2: not YAML: but found another document"),
        ("a:\n\t- b\n", "case.yaml:2: not YAML: found character '\\t' that cannot start any token"),
        ("a: *missing\n", "case.yaml:1: not YAML: found undefined alias 'missing'"),
        ("a: \x00\n", "case.yaml: not YAML: "),
    ],
)
def test_broken_yaml_says_where(text: str, message: str):
    """Line and column are those of the parser."""
    assert refusal(text).startswith(message)
