"""What steps want of their elements. Pure."""

from __future__ import annotations

from qa_queue.cases.model import Expect, Step, WaitFor

_NEEDS = {
    "fill": ("visible", "enabled", "editable"),
    "type": ("visible", "enabled"),
    "press": ("visible", "enabled"),
    "select": ("visible", "enabled"),
    "hover": ("visible", "hit"),
    "upload": (),
    "expect": ("visible",),
    "wait_for": ("visible",),
    "screenshot": ("visible",),
}


def needs(action: str) -> tuple[str, ...]:
    """What an element has to be for this action: visible, enabled, editable, hit (not covered)."""
    return _NEEDS.get(action, ("visible", "enabled", "hit"))


def requires_presence(step: Step) -> bool:
    """Whether a step wants exactly one element to be there, so that another locator may stand in for its target.

    A check for absence or for a count is about the target's own words: a fallback would turn its meaning round.
    """
    match step.args:
        case Expect() as args if args.visible or args.hidden:
            return bool(args.visible) is not args.negate
        case Expect(count=None):
            return True
        case WaitFor(count=None) as args:
            return args.state in ("visible", "attached")
        case Expect() | WaitFor():
            return False
    return True
