"""Broken files of every kind: a clear error or a case, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa_queue.cases.model import MAX_STEPS
from qa_queue.cases.reader import load_file, parse_case
from qa_queue.cases.yaml_source import MAX_CHARS, read_yaml
from qa_queue.errors import CaseError
from tests.unit.cases.support import file_problems, write

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("**/*.yaml"))
CASE: dict[str, Any] = {
    "version": 1,
    "id": "order",
    "name": "Order",
    "base_url": "http://127.0.0.1:8080",
    "tags": ["smoke"],
    "retries": 1,
    "timeout": "60s",
    "trace": "off",
    "use": {"viewport": "1280x720", "device": "iPhone 15"},
    "vars": {"user": "ann"},
    "steps": [
        {"goto": "/", "timeout": "2s", "name": "Open"},
        {"click": {"role": "button", "name": "Go", "fallbacks": [{"css": "#go"}]}},
        {"expect": {"target": {"css": "li", "within": {"role": "list"}}, "count": 2}},
    ],
}
WRONG = [7, -1.5, True, [[]], {"x": {}}, "\x00", 10**5000, [None], {1: 2}]


def _places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in _places(item, (*path, key)))]


def _with(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = _with(document[path[0]], path[1:], value)
    return copy


def problems_in(read: Callable[[], object]) -> tuple[str, ...]:
    """The problems that a reader finds; all else than a CaseError fails the test."""
    try:
        read()
    except CaseError as error:
        return error.problems or ("",)
    return ()


def loads(path: Path) -> bool:
    """Tell whether a file can be used."""
    found = problems_in(lambda: load_file(path))
    assert all(problem.startswith(str(path)) for problem in found)
    return not found


@pytest.mark.parametrize("place", _places(CASE), ids=str)
def test_a_value_of_a_wrong_kind(place: tuple[str | int, ...]) -> None:
    """Wherever it stands, and whatever it is."""
    for wrong in WRONG:
        found = problems_in(partial(parse_case, _with(CASE, place, wrong), source="case.yaml"))
        assert all(problem.startswith("case.yaml: ") for problem in found)


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_truncated_file(tmp_path: Path, cut: int) -> None:
    """As a copy that broke off leaves it."""
    text = json.dumps(CASE)
    assert not loads(write(tmp_path, text[: len(text) * cut // 40], "case.json"))
    loads(write(tmp_path, text[: len(text) * cut // 40], "case.yaml"))


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00",
        b"name: caf\xe9",
        b"\x00" * 100,
        b"%PDF-1.7\n%\xe2\xe3",
        "name: Order".encode("utf-16"),
        b"PK\x03\x04",
        b"a: &a [*a]",
        b"a: !!python/object/apply:os.system ['true']",
        b"- - - - -",
        b"? ? ? ? ?",
        b"{" * 3000,
        b"[" * 3000 + b"]" * 3000,
        b"a: b: c: d",
        b"%YAML 9.0\n---\na: 1",
        b"---\n---\n---",
        b"'unclosed",
        b'"\\x',
        b"*nothing",
        b"!!int foo",
        b"!<> x",
        b"|9\nx",
        b"\tname: x",
        b"name: x\n\tsteps: []",
        b"<<: 5",
        b"<<: [[]]",
    ],
    ids=repr,
)
def test_a_file_that_is_something_else(tmp_path: Path, content: bytes) -> None:
    """Binary files, other formats, and YAML that no case is written in."""
    for name in ("case.yaml", "case.json"):
        path = tmp_path / name
        path.write_bytes(content)
        assert not loads(path)


@pytest.mark.parametrize(
    "around",
    [
        lambda step: {"group": {"name": "g", "steps": [step]}},
        lambda step: {"if": {"visible": "#x"}, "then": [step]},
        lambda step: {"repeat": {"times": 1, "steps": [step]}},
    ],
    ids=["group", "if", "repeat"],
)
def test_steps_that_are_nested_without_end(around: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """They are refused in words, as targets are."""
    step: dict[str, Any] = {"click": "#a"}
    for _ in range(3000):
        step = around(step)
    with pytest.raises(CaseError, match=r"case\.yaml: steps\[0\]\.\S+: is nested too deep$"):
        parse_case({"name": "x", "steps": [step]}, source="case.yaml")


def test_a_target_that_is_nested_without_end() -> None:
    """Documents from programs have no parser before them that bounds their depth."""
    target: dict[str, Any] = {"css": "a"}
    for _ in range(3000):
        target = {"css": "a", "within": target}
    with pytest.raises(CaseError, match="nested too deep"):
        parse_case({"name": "x", "steps": [{"click": target}]}, source="case.yaml")


def test_too_many_steps(tmp_path: Path) -> None:
    """A program that writes without end is noticed."""
    path = write(tmp_path, "name: x\nsteps: [" + "{goto: /}, " * (MAX_STEPS + 1) + "]\n")
    assert file_problems(path) == [f"case.yaml:2: steps: is {MAX_STEPS + 1} items long; {MAX_STEPS} are allowed"]


def test_a_text_that_is_too_large() -> None:
    """The limit of files holds for documents that come by HTTP too."""
    with pytest.raises(CaseError, match="is larger than 1 MB"):
        read_yaml("#" * (MAX_CHARS + 1), "case")


def test_only_the_first_hundred_problems_are_listed(tmp_path: Path) -> None:
    """A file that is wrong from beginning to end says so briefly."""
    path = write(tmp_path, "name: x\nsteps:\n" + "- clik: a\n" * 300)
    problems = file_problems(path)
    assert len(problems) == 101
    assert problems[-1] == "case.yaml: 200 more problems"


damage = st.text(st.sampled_from("{}[]:,-#&*!|>'\"%@`\n\t ax1~é\u2028"), max_size=4)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_examples_with_random_damage(tmp_path: Path, data: st.DataObject) -> None:
    """Characters are replaced, inserted and removed; reading ends with a case or a clear error."""
    text = data.draw(st.sampled_from(EXAMPLES)).read_text(encoding="utf-8")
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 8)))
        text = text[:start] + data.draw(damage) + text[end:]
    path = tmp_path / "case.yaml"
    path.write_text(text, encoding="utf-8")
    loads(path)


OPENS = {"type": "navigate", "url": "http://a.example/"}


def _large(part: str) -> str:
    return part * ((MAX_CHARS - 1000) // len(part))


def _bomb(line: str, joined: str) -> str:
    """Nine levels, each with nine aliases of the one before."""
    levels = (line.format(name=name, inner=", ".join([f"*{before}"] * 9)) for before, name in pairwise("abcdefghi"))
    return joined + "".join(levels)


LARGE = {
    "brackets": _large("["),
    "braces": _large("{"),
    "dashes": _large("- "),
    "question marks": _large("? "),
    "colons": _large(": "),
    "anchors": "".join(f"- &a{n} x\n" for n in range(80_000)),
    "aliases": "a: &a x\nb: [" + _large("*a, ") + "]",
    "alias bomb": _bomb("{name}: &{name} [{inner}]\n", "a: &a [x, x, x, x, x, x, x, x, x]\n"),
    "merge bomb": _bomb("{name}: &{name} {{<<: [{inner}]}}\n", "a: &a {x: 1}\n"),
    "one text": "name: " + _large("x"),
    "quotes": 'name: "' + _large("\\n"),
    "tags": _large("- !!int foo\n"),
    "keys": _large("a: 1\n"),
    "number": "name: x\nretries: " + "9" * 5000,
    "long number": "name: x\nretries: " + _large("9"),
    "comments": _large("# x\n"),
    "documents": _large("---\n"),
    "steps without action": "name: x\nsteps:\n" + _large("- {}\n"),
    "unknown keys": "name: x\nsteps:\n" + "".join(f"- {{k{n}: 1}}\n" for n in range(4_000)),
    "wrong checks": "name: x\nsteps:\n" + "".join(f"- expect: {{css: a, tx{n}: b}}\n" for n in range(4_990)),
    "wrong roles": "name: x\nsteps:\n" + "".join(f"- click: {{role: buton{n}}}\n" for n in range(4_990)),
    "misplaced keys": "name: x\nsteps:\n" + "- {click: a, role: b}\n" * 4_990,
    "broken expressions": "name: x\nsteps:\n" + "- click: {text: /(/}\n" * 4_990,
    "a syntax error in a long line": "name: x\nsteps: [" + _large("{a: b} "),
    "tabs": "name: x\n" + _large("\t") + "a: b",
    "deep targets": "name: x\nsteps:\n- click: " + "{within: " * 50 + "a" + "}" * 50,
    "a long list": "name: x\ntags: [" + "1, " * 200_000 + "]\nsteps: [{goto: /}]\n",
    "a long mapping": "name: x\nvars: {" + ", ".join(f"k{n}: 1" for n in range(60_000)) + "}\nsteps: [{goto: /}]\n",
    "wrong fallbacks": "name: x\nsteps:\n- click: {css: a, fallbacks: [" + "{csss: b}, " * 4_900 + "]}\n",
    "many wrong lists": "name: x\nsteps:\n" + "- upload: {target: a, files: [" + ("[], " * 300 + "]}\n") * 100,
    "rows of data": "name: x\nsteps: [{goto: /}]\ndata:\n" + "- {a: 1}\n" * 90_000,
    "unknown flows": "name: x\nsteps:\n" + "".join(f"- use: {{flow: f{n}.yaml}}\n" for n in range(4_000)),
    "a deep expression": "name: x\nsteps:\n- expect: {title: '/" + "(" * 400_000 + "/'}\n",
    "a great repetition": "name: x\nsteps:\n- expect: {title: '/a{99999999999999999999}/'}\n",
    "a long path into JSON": "name: x\nsteps:\n- request: {get: /, save: {a: '$" + ".a" * 200_000 + "'}}\n",
    "deep conditions": "name: x\nsteps:\n- {click: a, if: " + "{not: " * 50 + "{}" + "}" * 51,
}


@pytest.mark.parametrize("content", LARGE.values(), ids=LARGE.keys())
def test_a_large_or_repeated_input(tmp_path: Path, content: str) -> None:
    """It is refused like any other, and nothing is left beside it."""
    path = tmp_path / "case.yaml"
    path.write_text(content, encoding="utf-8")
    assert not loads(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ([{"type": "click", "selectors": 5, "offsetX": 1, "offsetY": 1}], "no step that can be carried over"),
        ([OPENS] * 4_900, ""),
        ([OPENS | {"target": f"http://{n}.example/"} for n in range(2_600)], "steps; 5000 are allowed: split the"),
    ],
    ids=["selectors", "long", "too long"],
)  # fmt: skip
def test_a_recording_of_another_shape(tmp_path: Path, steps: list[Any], problem: str) -> None:
    """Its steps may be anything, and more than a case can have once each switches pages."""
    path = write(tmp_path, json.dumps({"title": "x", "steps": steps}), "recording.json")
    found = problems_in(lambda: load_file(path))
    assert problem in " ".join(found)
    assert bool(found) == bool(problem)


def test_problems_that_are_not_listed_are_counted(tmp_path: Path) -> None:
    """Putting ten thousand problems into words would take seconds."""
    path = write(tmp_path, "name: x\nsteps:\n" + "- {goto: /, timeout: soon}\n" * 4_000)
    problems = file_problems(path)
    assert (len(problems), problems[-1]) == (101, "case.yaml: 3900 more problems")


def test_a_whole_value_does_not_stand_for_keys(tmp_path: Path) -> None:
    """The names of variables, and the check that is made, are known before the run."""
    for step in ("set: ${var.x}", "expect: ${var.x}"):
        path = write(tmp_path, f"name: x\nvars: {{x: 1}}\nsteps:\n- {step}\n")
        assert "expected a mapping" in " ".join(file_problems(path))
