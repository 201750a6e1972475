"""Steps and targets in words and as JSON, for progress, rows and messages. Pure.

Works on steps as written: `${secret.X}` stays as it is, and what is typed into fields is never named.
"""

from __future__ import annotations

from typing import Any

from qa_queue.cases.steps import Action, Step
from qa_queue.cases.targets import Target


def describe(step: Step) -> str:
    """Return a step in one line, as `click button 'Sign in'`; its own name where it has one."""
    return step.name or step.args.sentence()


def describe_target(target: Target) -> str:
    """Return an element in words, as `button 'Sign in'`."""
    return str(target)


def target_json(target: Target, *, fallbacks: bool = False) -> dict[str, Any]:
    """Return a target as rows store it: only what is set; without its fallbacks unless asked for."""
    return target.model_dump(mode="json", exclude_defaults=True, exclude=set() if fallbacks else {"fallbacks"})


def alternatives(target: Target) -> tuple[Target, ...]:
    """Return the target without its fallbacks, then each fallback in order."""
    return (target.model_copy(update={"fallbacks": ()}), *target.fallbacks)


def target_of(args: Action) -> Target | None:
    """Return the element that an action works on, if it names one."""
    return args.subject
