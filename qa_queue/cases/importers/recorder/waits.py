"""Recorded waits as steps: waitForElement and the common shapes of waitForExpression."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from qa_queue.cases.actions import Expect, WaitFor
from qa_queue.cases.checks import CHECKS
from qa_queue.cases.importers.recorder.selectors import css_target
from qa_queue.cases.steps import Action
from qa_queue.cases.targets import Target

_TEXT_PROPERTIES = {"innerText": "text", "textContent": "text", "value": "value"}
_FLAG_PROPERTIES = {"checked": "checked", "disabled": "disabled"}


@dataclass(frozen=True)
class Wait:
    """The steps of a recorded wait, and what of it was not carried over."""

    actions: tuple[Action, ...]
    left_out: tuple[str, ...] = ()


def wait_for_element(step: dict[str, Any], target: Target) -> Wait:
    """The steps that wait as the original runner does: it counts matches and never asks whether they are visible.

    Its operator defaults to `>=`, its count to 1; `visible: false` turns the whole condition round.
    """
    count, visible = int(step.get("count", 1)), step.get("visible", True) is not False
    counting = _count(target, step.get("operator", ">="), count, visible)
    if not visible:
        return Wait(counting)
    checks = {
        f"{kind} {name}": check(name, value, target)
        for kind, keys, check in (("property", "properties", _property), ("attribute", "attributes", _attribute))
        for name, value in _mapping(step, keys).items()
    }
    made = tuple(action for action in checks.values() if action)
    return Wait((*counting, *made), tuple(what for what, action in checks.items() if action is None))


def _mapping(step: dict[str, Any], key: str) -> dict[str, Any]:
    value = step.get(key)
    return value if isinstance(value, dict) else {}


def _count(target: Target, operator: str, count: int, wanted: bool) -> tuple[Action, ...]:
    if operator == "==":
        return (_expect("count", count, _countable(target), negate=not wanted),)
    index = count - 1 if operator == ">=" else count
    there = wanted if operator == ">=" else not wanted
    if index < 0:
        return ()  # "at least none" is always true
    if there:
        return (WaitFor(target=_nth(target, index), state="attached"),)
    return (WaitFor(target=_nth(_countable(target), index), state="detached"),)


def _expect(check: str, wanted: Any, target: Target | None = None, *, negate: bool = False) -> Expect:
    on = {} if target is None else {"target": target}
    return Expect(check=CHECKS[check].model_validate({check: wanted, "negate": negate, **on}))


def _countable(target: Target) -> Target:
    """The alternative to count by. Counts and absence have no fallbacks, since a fallback would turn their meaning
    round; CSS and XPath select here exactly what they select in Chrome."""
    ways = (target.model_copy(update={"fallbacks": ()}), *target.fallbacks)
    return next((way for way in ways if way.css or way.xpath), ways[0])


def _nth(target: Target, index: int) -> Target:
    fallbacks = tuple(_nth(fallback, index) for fallback in target.fallbacks)
    return target.model_copy(update={"nth": index, "fallbacks": fallbacks})


def _property(name: str, value: Any, target: Target) -> Action | None:
    if isinstance(value, str) and name in _TEXT_PROPERTIES:
        return _expect(_TEXT_PROPERTIES[name], value, target)
    if isinstance(value, bool) and name in _FLAG_PROPERTIES:
        return _expect(_FLAG_PROPERTIES[name], value, target)
    plain = value is None or isinstance(value, (str, int, float))
    return _expect("property", {name: value}, target) if plain and name else None


def _attribute(name: str, value: Any, target: Target) -> Action | None:
    return _expect("attribute", {name: value}, target) if isinstance(value, str) and name else None


_STRING = r"(?P<{0}q>['\"`])(?P<{0}>(?:\\.|(?!(?P={0}q)).)*)(?P={0}q)"
_ONE = r"document\.querySelector\(\s*" + _STRING.format("css") + r"\s*\)"
_ALL = r"document\.querySelectorAll\(\s*" + _STRING.format("css") + r"\s*\)"
_EQUALS = r"\s*(?P<op>[=!]==?)\s*"
_WANTED = _STRING.format("wanted")
_TEXT = re.compile(rf"{_ONE}\??\.(?P<of>innerText|textContent|value)(?:\.trim\(\))?{_EQUALS}{_WANTED}")
_INCLUDES = re.compile(rf"{_ONE}\??\.(?:innerText|textContent)\??\.includes\(\s*{_WANTED}\s*\)")
_FLAG = re.compile(rf"(?P<no>!?){_ONE}\??\.(?P<of>checked|disabled)(?:{_EQUALS}(?P<wanted>true|false))?")
_LENGTH = re.compile(rf"{_ALL}\.length\s*(?P<op>[=!]==?|>=?|<=?)\s*(?P<wanted>\d+)")
_THERE = re.compile(rf"(?P<no>!{{0,2}}){_ONE}(?:\s*(?P<op>[=!]==?)\s*null)?")
_PAGE = re.compile(rf"(?P<of>document\.title|(?:window\.|document\.)?location\.href){_EQUALS}{_WANTED}")


def wait_for_expression(expression: str, frame: Any) -> Action | None:
    """The step for a common shape of expression, such as `document.querySelector('#a').innerText === 'b'`."""
    text = expression.strip().rstrip(";").strip()
    readers = ((_TEXT, _text), (_INCLUDES, _includes), (_FLAG, _flag), (_LENGTH, _length), (_THERE, _there))
    for pattern, reader in readers:
        if match := pattern.fullmatch(text):
            return reader(match, frame)
    match = _PAGE.fullmatch(text)
    return _page(match) if match else None


def _page(match: re.Match[str]) -> Action:
    check = "title" if match["of"] == "document.title" else "url"
    return _expect(check, _unquoted(match["wanted"]), negate=match["op"].startswith("!"))


def _text(match: re.Match[str], frame: Any) -> Action:
    check = _TEXT_PROPERTIES[match["of"]]
    wanted, negate = _unquoted(match["wanted"]), match["op"].startswith("!")
    return _expect(check, wanted, _element(match, frame), negate=negate)


def _includes(match: re.Match[str], frame: Any) -> Action:
    return _expect("contains_text", _unquoted(match["wanted"]), _element(match, frame))


def _flag(match: re.Match[str], frame: Any) -> Action:
    odd = [match["no"] == "!", (match["op"] or "").startswith("!"), match["wanted"] == "false"]
    return _expect(match["of"], True, _element(match, frame), negate=sum(odd) % 2 == 1)


def _length(match: re.Match[str], frame: Any) -> Action | None:
    count, operator = int(match["wanted"]), match["op"]
    every = css_target(_unquoted(match["css"]), frame)
    if operator[0] in "=!":
        return _expect("count", count, every, negate=operator[0] == "!")
    at_least = operator[0] == ">"
    strict = len(operator) == 1
    index = count if strict == at_least else count - 1
    if index < 0:
        return None  # always true, or never
    return WaitFor(target=_nth(every, index), state="attached" if at_least else "detached")


def _there(match: re.Match[str], frame: Any) -> Action:
    absent = match["no"] == "!" or (match["op"] or "").startswith("=")
    return WaitFor(target=_element(match, frame), state="detached" if absent else "attached")


def _element(match: re.Match[str], frame: Any) -> Target:
    """`querySelector` means the first match."""
    return css_target(_unquoted(match["css"]), frame, nth=0)


def _unquoted(text: str) -> str:
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[1]), text)
