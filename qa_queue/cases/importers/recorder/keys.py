"""Pairs of keyDown and keyUp as presses: `Tab`, `Control+a`.

Recorded steps that would undo or repeat what the step beside them did.

Ticking a checkbox leaves up to three steps: a click on its label, the click that the browser passes on to the box,
and a `change` whose value is "on" whether the box was ticked or unticked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from qa_queue.cases.importers.recorder.selectors import alternatives

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

    A modifier joins the keys pressed while it is down; one that joined none is pressed for itself.
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
            case _ if down:
                result.held[index] = tuple(down)
    for modifier, start in down.items():
        _alone(result, modifier, start)
    return result


def _alone(result: Presses, modifier: str, start: int | None) -> None:
    if start is not None:
        result.chords[start] = modifier


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
    """Tell whether Chrome knew the element by its accessible name, so that it can be clicked itself."""
    return any(path[0].startswith("aria/") for path in alternatives(step.get("selectors") or ()) if path)


def _same_element(one: dict[str, Any], other: dict[str, Any]) -> bool:
    first, second = (set(alternatives(step.get("selectors") or ())) for step in (one, other))
    return bool(first & second) and one.get("frame") == other.get("frame")
