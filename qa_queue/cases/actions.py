"""How the arguments of each action are written."""

from __future__ import annotations

from typing import Any

from qa_queue.cases.args import ArgsShape
from qa_queue.cases.checks import expect_shape
from qa_queue.cases.keys import Field, Keys
from qa_queue.cases.later import LATER_POINTER_KEYS, LATER_WAITS
from qa_queue.cases.model import ACTIONS, SetViewport
from qa_queue.cases.shapes import Choice, Flag, ListOf, Number, Text, UrlText
from qa_queue.cases.targets import TargetShape
from qa_queue.cases.viewports import ViewportShape

_FULL = Text(min_length=1)
_TARGET = Field(TargetShape(), "The element.", required=True)
_ON_PAGE_OR_ELEMENT = Field(TargetShape(), "The element; without it, the page.")


def _shape(action: str, about: str, fields: dict[str, Field], **rules: Any) -> ArgsShape:
    later = rules.pop("later", frozenset())
    return ArgsShape(ACTIONS[action], about, Keys(fields, later=later), **rules)


def _on_target(action: str, about: str) -> ArgsShape:
    return _shape(action, about, {"target": _TARGET}, bare="target", later=LATER_POINTER_KEYS)


def _click(action: str, about: str) -> ArgsShape:
    fields = {
        "target": _TARGET,
        "button": Field(Choice(("left", "right", "middle")), "Which mouse button."),
        "position": Field(
            ListOf(Number(whole=False), min_length=2, max_length=2),
            "Where on the element: [x, y] in px from its top left corner.",
        ),
    }
    return _shape(action, about, fields, bare="target", later=LATER_POINTER_KEYS)


def _fill(action: str, about: str) -> ArgsShape:
    return _shape(action, about, {"target": _TARGET, "value": Field(Text(), "The text.", required=True)})


ACTION_SHAPES: dict[str, ArgsShape | ViewportShape[SetViewport]] = {
    "goto": _shape(
        "goto",
        "Open a URL, joined to the base URL.",
        {"url": Field(UrlText(), "The URL.", required=True)},
        bare="url",
    ),
    "click": _click("click", "Click an element."),
    "dblclick": _click("dblclick", "Double-click an element."),
    "hover": _on_target("hover", "Move the mouse over an element."),
    "fill": _fill("fill", "Set a field's value at once."),
    "type": _fill("type", "Type a text key by key."),
    "press": _shape(
        "press",
        "Press a key or chord, such as Enter or Control+A.",
        {"key": Field(_FULL, "The key or chord.", required=True), "target": _ON_PAGE_OR_ELEMENT},
        bare="key",
    ),
    "check": _on_target("check", "Tick a checkbox or choose a radio button."),
    "uncheck": _on_target("uncheck", "Untick a checkbox."),
    "select": _shape(
        "select",
        "Choose options of a select element.",
        {
            "target": _TARGET,
            "value": Field(Text(), "The option of this value."),
            "label": Field(Text(), "The option that shows this."),
            "values": Field(ListOf(Text(), min_length=1), "The options of these values."),
        },
        one_of=("value", "label", "values"),
    ),
    "upload": _shape(
        "upload",
        "Give files to a file input.",
        {
            "target": _TARGET,
            "files": Field(
                ListOf(_FULL, or_one=True, min_length=1), "Paths, relative to the case file.", required=True
            ),
        },
    ),
    "wait_for": _shape(
        "wait_for",
        "Wait for an element, a URL or a load state.",
        {
            "target": Field(TargetShape(), "The element to wait for."),
            "state": Field(Choice(("visible", "hidden", "attached", "detached")), "Its state; visible by default."),
            "count": Field(Number(0), "Wait until so many elements match."),
            "url": Field(_FULL, "Wait until the URL matches this glob."),
            "load_state": Field(
                Choice(("load", "domcontentloaded", "networkidle")), "Wait until the page is so far."
            ),
        },
        bare="target",
        one_of=("target", "url", "load_state"),
        needs={"state": "target", "count": "target"},
        later=LATER_WAITS,
    ),
    "screenshot": _shape(
        "screenshot",
        "Take a picture of the page or of one element.",
        {
            "name": Field(_FULL, "Name of the picture's file."),
            "target": _ON_PAGE_OR_ELEMENT,
            "full_page": Field(Flag(), "The whole page, not only what is in view."),
        },
        bare="name",
        empty=True,
    ),
    "set_viewport": ViewportShape(SetViewport, "Change the size of the page: 1280x720, in CSS px."),
    "expect": expect_shape(),
}
