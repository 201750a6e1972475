"""Conditions: checks that decide about steps instead of failing them."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field

from qa_queue.cases.checks import AnyCheck, Check
from qa_queue.cases.vocabulary import Many, Vocabulary, expected


class Condition(Vocabulary):
    """A check, or several joined by `all`, `any` and `not`. It is true or false and never fails a step."""

    spread: ClassVar[str | None] = "check"
    check: AnyCheck | None = Field(None, description="The check.")
    every: Annotated[Many["Condition"], Field(min_length=1)] | None = Field(
        None, validation_alias="all", serialization_alias="all", description="All of these hold."
    )
    some: Annotated[Many["Condition"], Field(min_length=1)] | None = Field(
        None, validation_alias="any", serialization_alias="any", description="At least one of these holds."
    )
    opposite: "Condition | None" = Field(
        None, validation_alias="not", serialization_alias="not", description="This does not hold."
    )

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return the mapping; one without `all`, `any` or a lone `not` is a check."""
        if not isinstance(value, dict):
            raise expected("a check such as {visible: {text: Hi}}, or all, any or not", value)
        if len(value) == 1 and value.keys() <= {"expect", "check"}:
            return {"check": next(iter(value.values()))}  # the step of a check
        return value if value.keys() & {"all", "any"} or value.keys() == {"not"} else {"check": value}

    def checks(self) -> Iterator[Check]:
        """Yield every check of the condition."""
        if self.check is not None:
            yield self.check
        inner: Iterable[Condition] = (*(self.every or ()), *(self.some or ()))
        for condition in (*inner, *([self.opposite] if self.opposite else ())):
            yield from condition.checks()

    def __str__(self) -> str:
        if self.check is not None:
            return self.check.sentence()
        if self.opposite is not None:
            return f"not ({self.opposite})"
        joined, word = (self.every, " and ") if self.every else (self.some or (), " or ")
        return word.join(f"({one})" if one.check is None else str(one) for one in joined)
