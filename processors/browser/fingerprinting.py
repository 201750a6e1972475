"""Fingerprints of one element, or of all candidates of a step, with one evaluation per frame.

The locators that may name an element are derived from its fingerprint, the best first.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from playwright.async_api import Frame, Locator

from processors.healing.fingerprint import Box, Fingerprint
from qa_queue.cases.targets import Target

MOST_CHARS = 80  # a longer text is prose, which changes
AFTER_ACTION_S = 2.0  # for a fingerprint that was begun with the action
_FIELDS = ("input", "select", "textarea")

TEST_ID_ATTRIBUTES = ("data-testid", "data-test-id", "data-test", "data-cy", "data-qa")
_LIBRARY = Path(__file__).with_name("fingerprinting.js").read_text(encoding="utf-8").strip()
_ONE = f"(element, options) => ({_LIBRARY})(options).one(element)"
_ALL = f"(options) => ({_LIBRARY})(options).all()"
_PICK = f"([options, place]) => ({_LIBRARY})(options).pick(place)"
_FRAME = f"(element, options) => ({_LIBRARY})(options).frame(element)"
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class PageView:
    """The view of a page for one step.

    `test_id_attribute` is the case's, `ignored` are attributes that fingerprints and locators leave out, `need` is
    what an action needs of its element (visible, enabled, editable, hit), `tag` that of the sought element.
    """

    test_id_attribute: str
    ignored: tuple[str, ...] = ()
    need: tuple[str, ...] = ()
    tag: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """The options of the script."""
        test_ids = dict.fromkeys((self.test_id_attribute, *TEST_ID_ATTRIBUTES))
        return {
            "testIds": [name for name in test_ids if name not in self.ignored],
            "ignored": list(self.ignored),
            "need": list(self.need),
            "tag": self.tag,
        }


@dataclass(frozen=True)
class Candidate:
    """An element of the page that a step could mean: its frame, and its place among the frame's candidates."""

    frame: Frame
    place: int
    fingerprint: Fingerprint


@dataclass(frozen=True)
class Picked:
    """A candidate that was chosen: its name in its document, and CSS and XPath that may find it."""

    name: str
    css: tuple[str, ...] = field(default=())
    xpath: str | None = None


async def fingerprint_of(locator: Locator, view: PageView, *, in_frame: bool, timeout_ms: float) -> Fingerprint:
    """Return the fingerprint of a locator's element. Raises Playwright's Error if it is missing."""
    document = json.loads(await locator.evaluate(_ONE, view.options, timeout=timeout_ms))
    found = _fingerprint(document)
    if not in_frame:
        return found
    handle = await locator.element_handle(timeout=timeout_ms)
    frame = await handle.owner_frame()
    return replace(found, frames=frame_path(frame)) if frame else found


async def with_fingerprint(
    action: Coroutine[Any, Any, T], taking: Coroutine[Any, Any, Fingerprint | None]
) -> tuple[T, Fingerprint | None]:
    """Return the result of an action, and the fingerprint of its element, which is taken meanwhile.

    The action may have removed the element, or left its page, before the fingerprint was taken. That is None then:
    Playwright would look for the element, also on the next page, for as long as the step may take.
    """
    task = asyncio.ensure_future(taking)
    try:
        done = await action
        await asyncio.wait({task}, timeout=AFTER_ACTION_S)
    finally:
        task.cancel()
    return done, task.result() if task.done() and not task.cancelled() else None


async def candidates_of(frame: Frame, view: PageView) -> list[Candidate]:
    """All elements of a frame that a step could mean."""
    path = frame_path(frame)
    documents = json.loads(await frame.evaluate(_ALL, view.options))
    return [Candidate(frame, place, _fingerprint(document, path)) for place, document in enumerate(documents)]


async def pick(candidate: Candidate, view: PageView) -> Picked | None:
    """A candidate again, or None when the page has replaced it."""
    found = await candidate.frame.evaluate(_PICK, [view.options, candidate.place])
    return found and Picked(found["name"], tuple(found["css"]), found["xpath"])


async def frame_css(frame: Frame, view: PageView) -> str:
    """CSS of the element of a frame in its parent."""
    element = await frame.frame_element()
    return str(await element.evaluate(_FRAME, view.options))


def frame_path(frame: Frame) -> tuple[str, ...]:
    """The way from the page into a frame: of each frame its name or, where it has none, its place."""
    steps: list[str] = []
    while frame.parent_frame is not None:
        parent = frame.parent_frame
        steps.append(frame.name or f"#{parent.child_frames.index(frame) + 1}")
        frame = parent
    return tuple(reversed(steps))


def _fingerprint(document: dict[str, Any], frames: tuple[str, ...] = ()) -> Fingerprint:
    """Parse the output of the script, which has every property."""
    for name in ("classes", "test_ids", "neighbours", "shadow"):
        document[name] = tuple(document[name])
    document["attributes"] = tuple((name, value) for name, value in document["attributes"])
    document["box"] = Box(**document["box"]) if document["box"] else None
    return Fingerprint(**document, frames=frames)


def candidate_targets(found: Fingerprint, css: Sequence[str], xpath: str | None) -> list[Target]:
    """Return targets by test id, role and name, label, text, CSS, XPath; none is known to be unique. Pure."""
    targets = [*_by_meaning(found), *(Target(css=selector) for selector in css)]
    return [*targets, Target(xpath=xpath)] if xpath else targets


def _by_meaning(found: Fingerprint) -> Iterator[Target]:
    for value in found.test_ids:
        yield Target(test_id=value)
    if found.role and _short(found.accessible_name):
        yield Target(role=found.role, name=found.accessible_name, exact=True)
    if _short(found.label):
        yield Target(label=found.label, exact=True)
    if found.tag not in _FIELDS and _short(found.text):
        yield Target(text=found.text, exact=True)


def _short(text: str | None) -> bool:
    return bool(text) and len(text or "") <= MOST_CHARS
