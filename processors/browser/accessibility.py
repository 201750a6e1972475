"""Violations of accessibility rules on a page, found by axe in each of its frames.

axe is a script; it comes with the extra `accessibility` and is kept out of the sight of the page's own scripts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from playwright.async_api import ElementHandle, Error, Frame

from processors.browser.failures import StepFailedError
from qa_queue.cases.checks import AccessibilityRules
from qa_queue.errors.validation import did_you_mean
from qa_queue.models import ErrorKind

_MISSING = "checking accessibility needs `pip install 'qa-queue[accessibility]'` on the worker"
_LEFT = ("Execution context was destroyed", "Cannot find context", "because of a navigation", "Frame was detached")
_LISTED_RULES = 5
_LISTED_ELEMENTS = 3
_KEY = "window[Symbol.for('qa-queue.axe')]"
_INSTALLED = f"() => Boolean({_KEY})"
# The script finds neither a module system nor a global of its own that the page would see.
_INSTALL = (
    f"() => {{ const own = window.axe; ((define, module) => {{ %s }})(); {_KEY} = window.axe; "
    "if (own === undefined) delete window.axe; else window.axe = own; }"
)
_RULES = f"() => {_KEY}.getRules().map(rule => [rule.ruleId, rule.tags])"
_PART = f"""async ({{context, options, include, exclude}}) => {{
  const axe = {_KEY};
  let spec = {{...context}};
  if (include.length) spec.include = include;
  if (exclude.length) spec.exclude = [...(context.exclude ?? []), ...exclude];
  if (!Object.keys(spec).length) spec = document;
  const frames = axe.utils.getFrameContexts(spec, options);
  const part = await axe.runPartial(spec, options);
  return {{
    part: JSON.stringify(part),
    frames: frames.map(one => ({{selector: one.frameSelector, context: one.frameContext}})),
  }};
}}"""
_FRAME = f"selector => {_KEY}.utils.shadowSelect(selector)"
_FINISH = f"""async ({{parts, options}}) => {{
  const found = await {_KEY}.finishRun(parts.map(part => JSON.parse(part)), options);
  return found.violations.map(({{id, impact, help, helpUrl, nodes}}) =>
    ({{id, impact, help, helpUrl, nodes: nodes.map(node => node.target)}}));
}}"""


def is_left(text: str) -> bool:
    """Return True for the error of a page that was left while axe read it."""
    return any(words in text for words in _LEFT)


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A rule that elements violate; `elements` are selectors, each with those of the frames that it is in."""

    rule: str
    impact: str | None
    help: str
    url: str
    elements: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(self.elements[:_LISTED_ELEMENTS])
        more = len(self.elements) - _LISTED_ELEMENTS
        others = f" and {more} more" if more > 0 else ""
        impact = f" ({self.impact})" if self.impact else ""
        return f"{self.rule}{impact} on {shown}{others}: {self.help}, see {self.url}"


def violations_text(found: Sequence[Violation]) -> str:
    """Return the violations in one line."""
    if not found:
        return "none"
    listed = "; ".join(map(str, found[:_LISTED_RULES]))
    others = ", ".join(one.rule for one in found[_LISTED_RULES:])
    return f"{len(found)}: {listed}{f'; and {others}' if others else ''}"


async def violations(
    frame: Frame, rules: AccessibilityRules, scope: ElementHandle | None, excluded: Sequence[ElementHandle]
) -> list[Violation]:
    """Return the violations in a frame and those inside it, the most severe ones first.

    `scope` is an element of the frame; `excluded` are elements of any frame.

    Raises:
        StepFailedError: axe is not installed, or does not know a rule or tag.
        Error: the page went away meanwhile.
    """
    await _install(frame)
    options = _options(rules, dict(await frame.evaluate(_RULES)))
    owners = [(await one.owner_frame(), one) for one in excluded]
    parts = _Parts(options, owners)
    collected = await parts.of(frame, {}, [scope] if scope else [])
    found = await frame.evaluate(_FINISH, {"parts": collected, "options": options})
    counted = (_violation(one) for one in found if rules.counts(one["impact"]))
    return sorted(counted, key=lambda one: _SEVERITY.get(one.impact or "", len(_SEVERITY)))


_SEVERITY = {"critical": 0, "serious": 1, "moderate": 2, "minor": 3}


@dataclass(frozen=True)
class _Parts:
    """The results of each frame, in the order in which axe joins them."""

    options: Mapping[str, Any]
    excluded: Sequence[tuple[Frame | None, ElementHandle]]

    async def of(self, frame: Frame, context: Mapping[str, Any], include: Sequence[ElementHandle]) -> list[str]:
        """Return the results of a frame and of those inside it, as JSON."""
        await _install(frame)
        exclude = [one for owner, one in self.excluded if owner == frame]
        given = {"context": context, "options": self.options, "include": include, "exclude": exclude}
        found = await frame.evaluate(_PART, given)
        results = [found["part"]]
        for inner in found["frames"]:
            results += await self._inside(frame, inner["selector"], inner["context"])
        return results

    async def _inside(self, frame: Frame, selector: Any, context: Mapping[str, Any]) -> list[str]:
        """Return the results of a frame of a frame; axe takes null for one that is gone or cannot be looked at."""
        try:
            element = (await frame.evaluate_handle(_FRAME, selector)).as_element()
            inner = await element.content_frame() if element else None
            return await self.of(inner, context, []) if inner else ["null"]
        except Error as error:
            if not is_left(str(error)):
                raise
            return ["null"]


async def _install(frame: Frame) -> None:
    if not await frame.evaluate(_INSTALLED):
        await frame.evaluate(_INSTALL % _script())


@cache
def _script() -> str:
    try:
        from axe_playwright_python.base import AXE_SCRIPT  # noqa: PLC0415 - an extra
    except ImportError:
        raise StepFailedError(ErrorKind.INPUT, _MISSING) from None
    return str(AXE_SCRIPT)


def _options(rules: AccessibilityRules, known: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return axe's options; `known` are the tags of each of its rules."""
    tags = {tag for its in known.values() for tag in its}
    _check_known("rule", (*rules.rules, *rules.exclude_rules), known)
    _check_known("tag", (*rules.tags, *rules.exclude_tags), tags)
    left_out = {*rules.exclude_rules, *(rule for rule, its in known.items() if {*its} & {*rules.exclude_tags})}
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    options["rules"] = {rule: {"enabled": False} for rule in sorted(left_out)}
    for kind, chosen in (("rule", rules.rules), ("tag", rules.tags)):
        if chosen:
            options["runOnly"] = {"type": kind, "values": list(chosen)}
    return options


def _check_known(kind: str, names: Sequence[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            nearest = did_you_mean(name, known) or f"; there are {', '.join(sorted(known))}"
            raise StepFailedError(ErrorKind.INPUT, f"axe has no {kind} {name!r}{nearest}")


def _violation(one: Mapping[str, Any]) -> Violation:
    return Violation(
        rule=one["id"],
        impact=one["impact"],
        help=one["help"],
        url=one["helpUrl"].partition("?")[0],
        elements=tuple(_path_text(target) for target in one["nodes"]),
    )


def _path_text(target: Sequence[Any]) -> str:
    """Return an element's selector with those of its frames; a part of several selectors goes into shadow roots."""
    *frames, element = (part if isinstance(part, str) else " >> ".join(part) for part in target)
    inside = "".join(f" in frame {json.dumps(frame)}" for frame in reversed(frames))
    return f"{json.dumps(element, ensure_ascii=False)}{inside}"
