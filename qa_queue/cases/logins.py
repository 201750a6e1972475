"""Logins of a case: the steps that sign in, whose cookies and storage runs share."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field
from pydantic.config import JsonDict

import qa_queue.cases.actions  # noqa: F401 - completes Step
from qa_queue.cases.actions.state import SaveState
from qa_queue.cases.environment import STATE_NAME
from qa_queue.cases.steps import Step
from qa_queue.cases.traversal import walk
from qa_queue.cases.vocabulary import Duration, Many, Span, Vocabulary, expected
from qa_queue.errors.schema_path import KeyPath
from qa_queue.errors.validation import Problem, did_you_mean

MAX_LOGINS, MAX_LOGIN_STEPS = 100, 500
LOGIN_EXPIRES_MS = 3_600_000
LOGIN_TIMEOUT_MS = 60_000
_PARTS = ("steps", "valid_if")


class Login(Vocabulary):
    """Steps that sign in. Their state is created once, kept encrypted, and used by every run of the same user."""

    nullable: ClassVar[tuple[str, ...]] = ()
    steps: Many[Step] = Field(
        min_length=1, max_length=MAX_LOGIN_STEPS, description="The steps, in a browser context of their own."
    )
    valid_if: Many[Step] = Field(
        (),
        max_length=MAX_LOGIN_STEPS,
        description="Steps that pass while the state is valid, such as a `goto` and an `expect`. Each run begins "
        "with them, and renews the state once where one fails.",
    )
    expires_ms: Span = Field(
        LOGIN_EXPIRES_MS,
        validation_alias="expires",
        serialization_alias="expires",
        description="How long the state is used: 1h by default.",
    )
    timeout_ms: Duration = Field(
        LOGIN_TIMEOUT_MS,
        validation_alias="timeout",
        serialization_alias="timeout",
        description="How long its steps may take in all: 60s by default.",
    )

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return a list as the steps, and the file of a flow as a step that uses it."""
        match value:
            case dict():
                return value
            case list():
                return {"steps": value}
            case str():
                return {"steps": [{"use": value}]}
        raise expected("steps, a mapping with 'steps', or the file of a flow", value)

    def sequences(self) -> Iterator[tuple[str, tuple[Step, ...]]]:
        """Yield the keys that hold steps, and their steps."""
        yield from ((key, getattr(self, key)) for key in _PARTS)


LOGIN_NAMES_SCHEMA: JsonDict = {"propertyNames": {"pattern": f"^{STATE_NAME}$"}}
LoginName = Annotated[str, Field(pattern=f"^{STATE_NAME}$")]


def steps_of_logins(logins: Mapping[str, Login]) -> Iterator[tuple[KeyPath, Step]]:
    """Yield every step of the logins with its path in the document, each before those inside it."""
    for name, login in logins.items():
        for key, steps in login.sequences():
            yield from walk(steps, ("logins", name, key))


def login_problems(
    logins: Mapping[str, Login], wanted: str | None, *, at: KeyPath = (), source: str = ""
) -> Iterator[Problem]:
    """Yield what is wrong with the logins of a case whose `use.storage_state` is `wanted`."""
    if wanted is not None and logins and "${" not in wanted and wanted not in logins:
        text = f"{wanted!r} is not a login of the case{did_you_mean(wanted, logins)}"
        yield Problem((*at, "use", "storage_state"), text, None, source)
    for path, step in steps_of_logins(logins):
        if isinstance(step.args, SaveState):
            text = "a login saves its state itself, when its steps have passed: remove 'save_state'"
            yield Problem((*at, *path), text, step.line, source)
