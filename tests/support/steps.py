"""Steps, targets and cases for tests, short to write."""

from __future__ import annotations

from typing import Any

from qa_queue.cases.actions import Expect
from qa_queue.cases.checks import CHECKS
from qa_queue.cases.model import Case, Step, Target
from qa_queue.cases.steps import ACTIONS
from qa_queue.cases.vocabulary import DOCUMENT


def target(**fields: Any) -> Target:
    """A target; `fallbacks`, `within` and `frame` may be dicts."""
    return Target.model_validate(fields)


def step(action: str, *, args: dict[str, Any] | None = None, **fields: Any) -> Step:
    """A step: its action's arguments in `args`, its own fields by keyword."""
    return Step(args=ACTIONS[action].model_validate(args or {}), **fields)


def goto(url: str) -> Step:
    return step("goto", args={"url": url})


def on(action: str, where: dict[str, Any] | str, **args: Any) -> Step:
    """A step on an element: a target's fields, or a CSS selector."""
    found = {"css": where} if isinstance(where, str) else where
    return step(action, args={"target": found, **args})


def expect(where: dict[str, Any] | str | None = None, **checks: Any) -> Step:
    """An assertion as in a document, on an element or, without one, on the page."""
    target = {} if where is None else {"target": {"css": where} if isinstance(where, str) else where}
    check = CHECKS[next(name for name in checks if name in CHECKS)]
    given = {{"negate": "not"}.get(name, name): value for name, value in checks.items()}
    return Step(args=Expect(check=check.model_validate(target | given, context=DOCUMENT)))


def case(*steps: Step, **fields: Any) -> Case:
    """A case of these steps."""
    return Case(**{"name": "A case", "steps": steps, **fields})
