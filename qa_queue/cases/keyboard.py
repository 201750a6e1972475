"""The keys of Playwright's keyboard, whose layout is that of the United States."""

from __future__ import annotations

import re

from qa_queue.errors.validation import nearest

_NAMED = """
Escape Tab CapsLock Enter Space Backspace Delete Insert Home End PageUp PageDown PrintScreen ScrollLock Pause
ArrowLeft ArrowUp ArrowRight ArrowDown ContextMenu NumLock Clear
Shift ShiftLeft ShiftRight Control ControlLeft ControlRight ControlOrMeta Alt AltLeft AltRight AltGraph
Meta MetaLeft MetaRight
Backquote Minus Equal Backslash BracketLeft BracketRight Semicolon Quote Comma Period Slash
NumpadDivide NumpadMultiply NumpadSubtract NumpadAdd NumpadDecimal NumpadEnter
AudioVolumeMute AudioVolumeDown AudioVolumeUp MediaTrackNext MediaTrackPrevious MediaPlayPause
""".split()  # noqa: SIM905 - seventy quoted words would be harder to read
KEYS = frozenset(
    [
        *_NAMED,
        *(f"F{number}" for number in range(1, 13)),
        *(f"{prefix}{digit}" for prefix in ("Digit", "Numpad") for digit in range(10)),
        *(f"Key{chr(code)}" for code in range(ord("A"), ord("Z") + 1)),
        *(chr(code) for code in range(ord(" "), ord("~") + 1)),
        "\n",
        "\r",
    ]
)
"""Every name that a press may have, and the characters of the keyboard."""
_PLUS = re.compile(r"(?<=[^+])\+")


def key_problem(chord: str) -> str | None:
    """Return what is wrong with a key or a chord such as `Control+A`; None for one that can be pressed.

    A chord with a value in it, such as `${var.key}`, is not looked at.
    """
    if "${" in chord:
        return None
    unknown = next((key for key in _PLUS.split(chord) if key not in KEYS), None)
    if unknown is None:
        return None
    near = nearest(unknown, [key for key in KEYS if len(key) > 1])
    advice = f"did you mean {near!r}?" if near else "write a text of several characters with `type`"
    return f"unknown key {unknown!r}; {advice}"
