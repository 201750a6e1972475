"""Pairs of keyDown and keyUp as presses: `Tab`, `Control+a`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

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
    """What the key events of a recording press. A keyDown without its keyUp is a press too.

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
