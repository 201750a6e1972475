"""Pairs of keyDown and keyUp as presses: `Tab`, `Control+a`.

Recorded clicks that would undo what the click beside them did.

Ticking a checkbox by its label leaves two clicks: the one on the label, and the one that the browser passes on to
the box. Older recorders add a `change` with the value of the box, whether it was ticked or unticked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from qa_queue.cases.importers.recorder.selectors import accessible_name, alternatives

_MODIFIERS = {
    side: key for key in ("Shift", "Control", "Alt", "Meta") for side in (key, f"{key}Left", f"{key}Right")
}
_KEYS = {"\r": "Enter", "\n": "Enter", " ": "Space"}


@dataclass(frozen=True)
class Presses:
    """`chords`: what is pressed, by the keyDown's index; `held`: the keys held meanwhile, by the step's index."""

    chords: dict[int, str] = field(default_factory=dict)
    held: dict[int, tuple[str, ...]] = field(default_factory=dict)


def presses(steps: Sequence[dict[str, Any]]) -> Presses:
    """Return the keys that a recording presses. A keyDown without its keyUp is a press too.

    A modifier joins the keys and clicks made while it is down; one that joined none is pressed for itself.
    """
    result = Presses()
    down: dict[str, int | None] = {}  # modifiers, with the index of the event while it has joined no key
    for index, step in enumerate(steps):
        key = str(step.get("key", ""))
        match step.get("type"):
            case "keyDown" if key in _MODIFIERS:
                down.setdefault(_MODIFIERS[key], index)
            case "keyDown":
                result.chords[index] = "+".join((*down, _KEYS.get(key, key)))
                down = dict.fromkeys(down)
            case "keyUp" if key in _MODIFIERS:
                _alone(result, _MODIFIERS[key], down.pop(_MODIFIERS[key], None))
            case "keyUp":
                pass
            case "click" | "doubleClick" | "hover" if down:
                result.held[index] = tuple(down)
                down = dict.fromkeys(down)
    for modifier, start in down.items():
        _alone(result, modifier, start)
    return result


def _alone(result: Presses, modifier: str, start: int | None) -> None:
    if start is not None:
        result.chords[start] = modifier


_BOX_SIZE = 64  # px; no checkbox is larger, so a click farther from its corner was on its label
_USUAL_BOX = 24  # px; a click on a label is at least so far from the corner of a usual checkbox
_LABEL_PATH = re.compile(r"(?:^|[\s>/])label(?:[.#:\[][^\s>/]*)?$")

_WORDS = ("aria/", "text/")  # what an element is called, not where it is

_LABEL = "it is the same click as the next one, which the browser passed on from the label to its checkbox"
_PASSED_ON = "it is the click before it, which the browser passed on from the label to its checkbox"


def repeats(steps: Sequence[dict[str, Any]]) -> dict[int, str]:
    """The indices of the clicks that repeat their neighbour, each with the reason why it is left out."""
    found: dict[int, str] = {}
    for index in range(1, len(steps)):
        label, box = steps[index - 1], steps[index]
        following = steps[index + 1] if index + 1 < len(steps) else {}
        if index - 1 not in found and _passed_on(label, box, following):
            found |= {index - 1: _LABEL} if _names(box) else {index: _PASSED_ON}
    return found


def _passed_on(label: dict[str, Any], box: dict[str, Any], following: dict[str, Any]) -> bool:
    """Tell whether the second of two steps is the click on a label, passed on to its checkbox."""
    if any(step.get("type") != "click" for step in (label, box)) or _same_element(label, box):
        return False
    changed = following.get("type") == "change" and _same_element(box, following)
    if changed and any(offset < 0 for offset in _offsets(box)):
        return True  # no pointer clicks an element outside of its box
    if changed and following.get("value") == "on" and _beyond(box, _BOX_SIZE):
        return True
    return _labels(label, box) and _beyond(box, _USUAL_BOX)


def _beyond(box: dict[str, Any], size: int) -> bool:
    return any(not 0 <= offset <= size for offset in _offsets(box))


def _offsets(box: dict[str, Any]) -> list[float]:
    return [offset for key in ("offsetX", "offsetY") if isinstance(offset := box.get(key), (int, float))]


def _labels(label: dict[str, Any], box: dict[str, Any]) -> bool:
    """Tell whether an element is a `<label>`, or carries the name of the other one."""
    last = [path[-1] for path in alternatives(label.get("selectors") or ()) if path]
    if any(_LABEL_PATH.search(selector) for selector in last):
        return True
    texts = {selector.removeprefix("text/") for selector in last if selector.startswith("text/")}
    return bool((_names(label) | texts) & _names(box))


def _names(step: dict[str, Any]) -> set[str]:
    """The accessible names by which Chrome knew the element, so that it can be clicked itself."""
    last = [path[-1] for path in alternatives(step.get("selectors") or ()) if path]
    return {name for selector in last if (name := accessible_name(selector))}


def _same_element(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Compare two steps by their paths, since a label and its field have the same name; else by what they have."""
    if one.get("frame") != other.get("frame"):
        return False
    first, second = (set(alternatives(step.get("selectors") or ())) for step in (one, other))
    paths = [{way for way in ways if way and not way[-1].startswith(_WORDS)} for ways in (first, second)]
    return bool(paths[0] & paths[1] if all(paths) else first & second)
