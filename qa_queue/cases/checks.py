"""The shape of `expect`: every check by its own name and by Playwright's."""

from __future__ import annotations

from qa_queue.cases.args import ArgsShape
from qa_queue.cases.keys import Field, Keys
from qa_queue.cases.later import LATER_CHECKS
from qa_queue.cases.model import ELEMENT_CHECKS, PAGE_CHECKS, Expect
from qa_queue.cases.shapes import Flag, Number, Text
from qa_queue.cases.targets import TargetShape

_FULL = Text(min_length=1)
_CHECKS = {
    "visible": (Field(Flag(), "The element is visible."), "to_be_visible"),
    "hidden": (Field(Flag(), "The element is hidden or absent."), "to_be_hidden"),
    "text": (Field(Text(), "The element's whole text is this."), "to_have_text"),
    "contains_text": (Field(Text(), "The element's text holds this."), "to_contain_text"),
    "value": (Field(Text(), "The field's value is this."), "to_have_value"),
    "count": (Field(Number(0), "So many elements match."), "to_have_count"),
    "checked": (Field(Flag(), "The checkbox or radio button is checked."), "to_be_checked"),
    "enabled": (Field(Flag(), "The element is enabled."), "to_be_enabled"),
    "disabled": (Field(Flag(), "The element is disabled."), "to_be_disabled"),
    "url": (Field(_FULL, "The page's URL matches this glob; relative to the base URL."), "to_have_url"),
    "title": (Field(Text(), "The page's title is this."), "to_have_title"),
}
_BOTH_NAMES = {attr: (attr, playwright) for attr, (_, playwright) in _CHECKS.items()}


def expect_shape() -> ArgsShape:
    """The shape of `expect`."""
    fields = {
        "target": Field(TargetShape(), "The element, for the checks of an element."),
        "not": Field(Flag(), "Turn the check round.", attr="negate"),
        **_check_fields(),
    }
    return ArgsShape(
        Expect,
        "One assertion, tried again until the step's time-out.",
        Keys(fields, later=LATER_CHECKS),
        one_of=tuple(name for names in _BOTH_NAMES.values() for name in names),
        needs={name: "target" for check in ELEMENT_CHECKS for name in _BOTH_NAMES[check]},
        excludes={name: "target" for check in PAGE_CHECKS for name in _BOTH_NAMES[check]},
    )


def _check_fields() -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for attr, (spec, playwright) in _CHECKS.items():
        fields[attr] = spec
        fields[playwright] = Field(spec.shape, f"The same as `{attr}`.", attr=attr)
    return fields
