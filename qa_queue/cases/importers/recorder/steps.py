"""One recorded step as steps of a case: a function for each type, chosen by table."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from qa_queue.cases.actions import (
    Click,
    ClosePage,
    DoubleClick,
    Fill,
    Goto,
    Hover,
    Offline,
    Press,
    Scroll,
    SetViewport,
    SwitchPage,
)
from qa_queue.cases.document_path import INVALID, DocumentPath, Invalid
from qa_queue.cases.importers.recorder.selectors import aim, css_target
from qa_queue.cases.importers.recorder.waits import wait_for_element, wait_for_expression
from qa_queue.cases.keyboard import key_problem
from qa_queue.cases.rebase import split_url
from qa_queue.cases.steps import Action
from qa_queue.cases.targets import Target
from qa_queue.cases.vocabulary import MAX_DURATION_MS
from qa_queue.errors.validation import kind_text

_BUTTONS = {"primary": "left", "secondary": "right", "auxiliary": "middle"}
MAIN_PAGE = "main"
_EMPTY_PAGES = ("about:", "chrome://newtab")
_GLOB_SYNTAX = re.compile(r"[*{}]")
_BROWSER_SCHEMES = ("chrome", "edge", "about", "chrome-extension", "devtools")
_LONG_PRESS_MS = 500
_MAX_NUMBER = 1e9  # beyond any size or distance of a page
_FAKE_PATH = "C:\\fakepath\\"
_NO_ELEMENT = "none of its selectors can be read"


@dataclass(frozen=True)
class Raw:
    """A recorded step, where it stands, and what the key events around it say."""

    place: DocumentPath
    step: dict[str, Any]
    chord: str | None = None
    held: tuple[str, ...] = ()


@dataclass(frozen=True)
class Made:
    """The import of a recorded step: actions, and notes about it.

    Without actions, `dropped` has the reason; a step that another one includes has neither. `navigates` says that
    the step was seen to open a page.
    """

    actions: tuple[Action, ...] = ()
    dropped: str | None = None
    notes: tuple[str, ...] = ()
    navigates: bool = False


def page_of(step: dict[str, Any]) -> str:
    """The page of a step: `main`, or the URL that another page or tab had when the step was recorded."""
    page = step.get("target")
    return page if isinstance(page, str) and page else MAIN_PAGE


def switch_to(page: str) -> SwitchPage:
    """The action that continues on the page of a step."""
    if page == MAIN_PAGE:
        return SwitchPage(index=0)
    if page.startswith(_EMPTY_PAGES):
        return SwitchPage(newest=True)
    return SwitchPage(url=_GLOB_SYNTAX.sub("*", page))


def make(raw: Raw) -> Made | Invalid:
    """The actions of a recorded step; INVALID when it breaks the recording's own schema."""
    kind = raw.step.get("type")
    maker = _MAKERS.get(str(kind))
    if maker is None:
        return Made(dropped=f"{kind!r} has no counterpart in the case format")
    if not _is_frame(raw.step.get("frame")):
        return Made(dropped="its 'frame' is not a list of numbers")
    try:
        made = maker(raw)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        return Made(dropped=f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}")
    return made if made is INVALID else _with_events(raw.step, made)


def _is_frame(frame: Any) -> bool:
    numbers = frame if isinstance(frame, list) else []
    return frame is None or (numbers == frame and all(type(index) is int and index >= 0 for index in numbers))


def _with_events(step: dict[str, Any], made: Made) -> Made:
    """The step with the events that were recorded with it; opening a URL always waits for its page."""
    given = step.get("assertedEvents")
    events = [event for event in given if isinstance(event, dict)] if isinstance(given, list) else []
    kinds = [str(event.get("type")) for event in events]
    notes = tuple(f"the event {kind!r} is not awaited" for kind in kinds if kind != "navigation")
    opens = "navigation" in kinds and step.get("type") != "navigate"
    return replace(made, navigates=opens, notes=made.notes + notes)


def _set_viewport(raw: Raw) -> Made | Invalid:
    sizes = {key: _number(raw, key) for key in ("width", "height")}
    if INVALID in sizes.values():
        return INVALID
    width, height = (int(size) for size in sizes.values() if size is not INVALID)
    if not (1 <= width <= 10_000 and 1 <= height <= 10_000):
        return Made(dropped=f"{width}x{height} is not a size of a page")
    phone = raw.step.get("isMobile") or raw.step.get("hasTouch")
    notes = ("only the size is carried over; for touch and a mobile browser set use.device",) if phone else ()
    return Made((SetViewport(width=width, height=height),), notes=notes)


def _navigate(raw: Raw) -> Made | Invalid:
    url = raw.step.get("url")
    if not isinstance(url, str) or not url:
        return raw.place.wrong("has no 'url'")
    parts = split_url(url)
    if parts is None:
        return raw.place.wrong(f"{url!r} is not a URL")
    if parts.scheme in _BROWSER_SCHEMES:
        return Made(dropped=f"{url} is a page of the browser itself")
    return Made((Goto(url=url),))


def _click(raw: Raw) -> Made | Invalid:
    button = _BUTTONS.get(str(raw.step.get("button") or "primary"))
    if button is None:
        return Made(dropped=f"the mouse button {raw.step['button']!r} is not supported")

    kind = DoubleClick if raw.step["type"] == "doubleClick" else Click
    given = {
        "button": button,
        "recorded_at": _offset(raw.step),
        "modifiers": raw.held,
        "delay": _long_press(raw.step),
    }
    made = _on_element(raw, lambda target: kind.model_validate({"target": target, **given}))
    if made is INVALID or made.dropped or raw.step.get("deviceType") not in ["touch", "pen"]:
        return made
    return Made(made.actions, notes=(*made.notes, f"made by {raw.step['deviceType']}; the click is made by mouse"))


def _long_press(step: dict[str, Any]) -> int | None:
    duration = _finite(step.get("duration"))
    return int(duration) if duration and _LONG_PRESS_MS <= duration <= MAX_DURATION_MS else None


def _offset(step: dict[str, Any]) -> tuple[float, float] | None:
    x, y = (_finite(step.get(key)) for key in ("offsetX", "offsetY"))
    return None if x is None or y is None else (round(x, 1), round(y, 1))


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _MAX_NUMBER:
        return None
    return float(value)


def _hover(raw: Raw) -> Made | Invalid:
    given = {"recorded_at": _offset(raw.step), "modifiers": raw.held}
    return _on_element(raw, lambda target: Hover.model_validate({"target": target, **given}))


def _change(raw: Raw) -> Made | Invalid:
    """A recorded change says the new value, not the kind of element: `fill` also chooses in lists. The value of a
    checkbox or radio button is not its state, which the click or key before has changed already."""
    value = raw.step.get("value")
    if not isinstance(value, str):
        return raw.place.wrong(f"'value' should be text, got {kind_text(value)}")
    if value.startswith(_FAKE_PATH):
        return Made(dropped=f"the recording lacks the file {value.removeprefix(_FAKE_PATH)}: add an upload step")
    return _on_element(raw, lambda target: Fill(target=target, value=value, keep_checked=True))


def _key(raw: Raw) -> Made | Invalid:
    if not isinstance(raw.step.get("key"), str) or not raw.step["key"]:
        return Made(dropped="it has no 'key'")
    if raw.chord is None:
        return Made()
    problem = key_problem(raw.chord)
    return Made(dropped=problem) if problem else Made((Press(key=raw.chord),))


def _wait_for_element(raw: Raw) -> Made | Invalid:
    count, operator = raw.step.get("count", 1), raw.step.get("operator", ">=")
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        return raw.place.wrong(f"'count' should be a whole number, got {kind_text(count)}")
    if operator not in ["==", ">=", "<="]:
        return raw.place.wrong(f"'operator' should be one of ==, >=, <=, got {kind_text(operator)}")
    aimed = aim(raw.step)
    if aimed.target is None:
        return Made(dropped=_NO_ELEMENT)
    wait = wait_for_element(raw.step, aimed.target)
    if not wait.actions:
        return Made(dropped="it waits for nothing")
    return Made(wait.actions, notes=tuple(f"{what} is not compared" for what in wait.left_out))


def _wait_for_expression(raw: Raw) -> Made | Invalid:
    expression = raw.step.get("expression")
    if not isinstance(expression, str):
        return raw.place.wrong("has no 'expression'")
    action = wait_for_expression(expression, raw.step.get("frame"))
    if action is None:
        shown = expression if len(expression) <= 80 else expression[:77] + "..."
        return Made(dropped=f"a script of its own: write an expect or wait_for step for {shown!r}")
    return Made((action,))


def _scroll(raw: Raw) -> Made | Invalid:
    to = tuple(_finite(raw.step.get(key)) or 0.0 for key in ("x", "y"))
    if raw.step.get("selectors"):
        return _on_element(raw, lambda target: Scroll.model_validate({"target": target, "to": to}))
    frame = raw.step.get("frame")
    target = css_target("html", frame) if isinstance(frame, list) and frame else None
    return Made((Scroll.model_validate({"target": target, "to": to}),))


def _close(raw: Raw) -> Made:
    if page_of(raw.step) == MAIN_PAGE:
        return Made(dropped="a run closes its first page at its end")
    return Made((ClosePage(),))


def _network(raw: Raw) -> Made:
    """Chrome writes 0 bytes per second for "Offline" and -1 for "No throttling"; other speeds are not emulated."""
    speeds = [raw.step.get(way) for way in ("download", "upload")]
    if speeds == [0, 0]:
        return Made((Offline(value=True),))
    if speeds == [-1, -1]:
        return Made((Offline(value=False),))
    return Made((Offline(value=False),), notes=("its speed is not emulated; the network is as fast as it is",))


def _custom(raw: Raw) -> Made:
    return Made(dropped=f"it is a custom step ({raw.step.get('name', 'without a name')})")


def _on_element(raw: Raw, action: Callable[[Target], Action]) -> Made | Invalid:
    if not isinstance(raw.step.get("selectors"), list) or not raw.step["selectors"]:
        return Made(dropped="it has no 'selectors'")
    aimed = aim(raw.step)
    if aimed.target is None:
        return Made(dropped=_NO_ELEMENT)
    notes = tuple(f"its selector {unread!r} cannot be read" for unread in aimed.unread)
    return Made((action(aimed.target),), notes=notes)


def _number(raw: Raw, key: str) -> float | Invalid:
    value = raw.step.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return raw.place.wrong(f"{key!r} should be a number, got {kind_text(value)}")
    return value


_MAKERS: dict[str, Callable[[Raw], Made | Invalid]] = {
    "setViewport": _set_viewport,
    "navigate": _navigate,
    "click": _click,
    "doubleClick": _click,
    "change": _change,
    "keyDown": _key,
    "keyUp": _key,
    "hover": _hover,
    "scroll": _scroll,
    "waitForElement": _wait_for_element,
    "waitForExpression": _wait_for_expression,
    "close": _close,
    "emulateNetworkConditions": _network,
    "customStep": _custom,
}
RECORDED_TYPES = frozenset(_MAKERS)
