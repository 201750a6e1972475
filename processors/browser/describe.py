"""Steps and targets in words and as JSON, for progress, rows and messages. Pure.

Works on steps as written: `${secret.X}` stays as it is, and what is typed into fields is never named.
"""

from __future__ import annotations

from typing import Any

from qa_queue.cases.model import ELEMENT_CHECKS, PAGE_CHECKS, Args, Expect, Goto, Press, Step, Target, WaitFor

_VERBS = {
    "goto": "go to",
    "dblclick": "double-click",
    "type": "type into",
    "select": "select in",
    "upload": "upload to",
    "wait_for": "wait for",
    "screenshot": "take a screenshot",
    "set_viewport": "set the viewport",
}
_QUOTED_KINDS = {
    "label": "field",
    "text": "text",
    "placeholder": "field with placeholder",
    "alt": "image",
    "title": "element with title",
    "test_id": "element with test id",
}


def step_key(step: Step, place: str | int) -> str:
    """Return the identity of a step across runs: its id, else its place and its action."""
    return step.id or f"{place}:{step.action}"


def describe(step: Step) -> str:
    """A step in one line, as `click button 'Sign in'`; its own name where it has one."""
    if step.name:
        return step.name
    if isinstance(step.args, Expect):
        return f"expect {_expectation(step.args)}"
    verb = _VERBS.get(step.action, step.action)
    return " ".join(part for part in (verb, _object(step.args)) if part)


def describe_target(target: Target) -> str:
    """An element in words, as `button 'Sign in'`."""
    words = _own_words(target)
    if target.has_text is not None:
        words += f" with text {target.has_text!r}"
    if target.nth is not None:
        words += f" number {target.nth + 1}"
    if target.within is not None:
        words += f" in {describe_target(target.within)}"
    if target.frame is not None:
        words += f" in frame {describe_target(target.frame)}"
    return words


def target_json(target: Target, *, fallbacks: bool = False) -> dict[str, Any]:
    """A target as rows keep it: only what is set; without its fallbacks unless asked for."""
    return target.model_dump(mode="json", exclude_defaults=True, exclude=set() if fallbacks else {"fallbacks"})


def alternatives(target: Target) -> tuple[Target, ...]:
    """The target without its fallbacks, then each fallback in order."""
    return (target.model_copy(update={"fallbacks": ()}), *target.fallbacks)


def target_of(args: Args) -> Target | None:
    """The element that an action works on, if it names one."""
    return getattr(args, "target", None)


def _own_words(target: Target) -> str:
    if target.role is not None:
        return target.role if target.name is None else f"{target.role} {target.name!r}"
    if target.name is not None:
        return f"element {target.name!r}"
    for kind, noun in _QUOTED_KINDS.items():
        if (value := getattr(target, kind)) is not None:
            return f"{noun} {value!r}"
    return f"`{target.css or target.xpath or target.selector}`"


def _object(args: Args) -> str:
    match args:
        case Goto(url=url):
            return url
        case Press(key=key, target=None):
            return key
        case Press(key=key, target=target) if target is not None:
            return f"{key} on {describe_target(target)}"
        case WaitFor():
            return _awaited(args)
    target = target_of(args)
    return "" if target is None else describe_target(target)


def _awaited(args: WaitFor) -> str:
    things = []
    if args.target is not None:
        state = f"{args.count} of them" if args.count is not None else args.state
        things.append(f"{describe_target(args.target)} ({state})")
    if args.url is not None:
        things.append(f"URL {args.url}")
    if args.load_state is not None:
        things.append(f"load state {args.load_state}")
    return ", ".join(things)


def _expectation(args: Expect) -> str:
    name = next((n for n in (*ELEMENT_CHECKS, *PAGE_CHECKS) if getattr(args, n) is not None), "nothing")
    wanted = getattr(args, name, None)
    subject = "page" if args.target is None else describe_target(args.target)
    check = f"{'not ' if args.negate else ''}{name.replace('_', ' ')}"
    return f"{subject} {check}" if wanted is True else f"{subject} {check} {wanted!r}"
