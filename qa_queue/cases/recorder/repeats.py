"""Recorded steps that would undo or repeat what the step beside them did.

Ticking a checkbox leaves up to three steps: a click on its label, the click that the browser passes on to the box,
and a `change` whose value is "on" whether the box was ticked or unticked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qa_queue.cases.recorder.selectors import alternatives

_BOX_SIZE = 64  # px; no checkbox is larger, so a click farther from its corner was on its label

_CHANGE = "the click before it has ticked or unticked the box already; if it is a text field, add a fill step"
_LABEL = "it is the same click as the next one, which the browser passed on from the label to its checkbox"
_PASSED_ON = "it is the click before it, which the browser passed on from the label to its checkbox"


def repeats(steps: Sequence[dict[str, Any]]) -> dict[int, str]:
    """The indices of such steps, each with the reason why it is left out."""
    found: dict[int, str] = {}
    for index in range(1, len(steps)):
        before, step = steps[index - 1], steps[index]
        if not _toggles(before, step):
            continue
        found[index] = _CHANGE
        if index >= 2 and steps[index - 2].get("type") == "click" and _passed_on(steps[index - 2], before):
            found |= {index - 2: _LABEL} if _accessible(before) else {index - 1: _PASSED_ON}
    return found


def _toggles(click: dict[str, Any], change: dict[str, Any]) -> bool:
    return (
        click.get("type") == "click"
        and change.get("type") == "change"
        and change.get("value") == "on"
        and _same_element(click, change)
    )


def _passed_on(label: dict[str, Any], box: dict[str, Any]) -> bool:
    offsets = [offset for key in ("offsetX", "offsetY") if isinstance(offset := box.get(key), (int, float))]
    return not _same_element(label, box) and any(not 0 <= offset <= _BOX_SIZE for offset in offsets)


def _accessible(step: dict[str, Any]) -> bool:
    """Whether Chrome knew the element by its accessible name, so that it can be clicked itself."""
    return any(path[0].startswith("aria/") for path in alternatives(step.get("selectors") or ()) if path)


def _same_element(one: dict[str, Any], other: dict[str, Any]) -> bool:
    first, second = (set(alternatives(step.get("selectors") or ())) for step in (one, other))
    return bool(first & second) and one.get("frame") == other.get("frame")
