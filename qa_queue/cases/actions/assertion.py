"""The action that checks."""

from collections.abc import Collection
from typing import ClassVar, Self

from pydantic import Field

from qa_queue.cases.checks import AnyCheck, ValueCheck
from qa_queue.cases.steps import Action
from qa_queue.cases.targets import Target


class CheckValue(Action, keyword="check_value", verb="check"):
    """Compare a value, such as `${var.total}`; written as `check: {value: ...}`."""

    secret_fields: ClassVar[Collection[str] | None] = ()
    written: ClassVar[str] = "check"
    spread: ClassVar[str | None] = "check"
    holds_soft: ClassVar[bool] = True
    check: ValueCheck = Field(description="The check.")

    @property
    def requires_presence(self) -> bool:
        """False: there is no element."""
        return False

    def sentence(self) -> str:
        """Return the comparison in words."""
        return f"check that {self.check.sentence()}"


class Expect(Action, keyword="expect"):
    """One assertion, retried until the step's timeout."""

    actionability: ClassVar[tuple[str, ...]] = ("visible",)
    secret_fields: ClassVar[Collection[str] | None] = None  # a check compares, and sends nothing
    spread: ClassVar[str | None] = "check"
    holds_soft: ClassVar[bool] = True
    check: AnyCheck = Field(description="The check.")

    @property
    def subject(self) -> Target | None:
        """The element that is checked."""
        return self.check.subject

    def on(self, target: Target) -> Self:
        """Return the same assertion on another element."""
        return self.model_copy(update={"check": self.check.model_copy(update={"target": target})})

    @property
    def records_traffic(self) -> bool:
        """True where the check needs the requests of pages."""
        return self.check.records_traffic

    @property
    def requires_presence(self) -> bool:
        """True where the check can only hold for an element that is there."""
        return self.check.requires_presence

    def sentence(self) -> str:
        """Return the assertion in words, as `expect heading text 'Hi'`."""
        return f"expect {self.check.sentence()}"
