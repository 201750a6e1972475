"""Control flow: groups, loops, branches and blocks that are tried again."""

from collections.abc import Collection
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from qa_queue.cases.conditions import Condition
from qa_queue.cases.steps import Block, Step
from qa_queue.cases.vocabulary import JSON, Duration, Many, Name, Words, expected

AT_MOST, MAX_AT_MOST = 100, 10_000
RETRY_MS, RETRY_EVERY_MS = 30_000, 1_000
Steps = Annotated[Many[Step], Field(min_length=1)]
INSIDE = "The steps inside."


def _rows(value: Any) -> Any:
    if isinstance(value, (list, tuple)) or (isinstance(value, str) and value.startswith("${")):
        return value
    raise expected("a list, or ${var.X} with a list", value)


class Group(Block, keyword="group"):
    """Give a name to several steps; a failure skips the rest of them."""

    own_row: ClassVar[bool] = False
    name: Words = Field(description="The name, shown before each of the steps in reports.")
    steps: Steps = Field(description=INSIDE)

    def sentence(self) -> str:
        """Return the name."""
        return self.name


class ForEach(Block, keyword="for_each"):
    """Do steps once for each row of a list; `${var.NAME}` is the row."""

    own_row: ClassVar[bool] = False
    rows: Annotated[Many[Any] | str, BeforeValidator(_rows), JSON] = Field(
        description="The rows: a list, or `${var.X}` with a list."
    )
    name: Name = Field(
        "row", validation_alias="as", serialization_alias="as", description="The variable that holds the row."
    )
    steps: Steps = Field(description=INSIDE)

    @property
    def assigned(self) -> Collection[str]:
        """The name of the row's variable."""
        return (self.name,)

    @property
    def passes(self) -> int | None:
        """The number of rows, if they are written out."""
        return None if isinstance(self.rows, str) else len(self.rows)

    def sentence(self) -> str:
        """Return the loop in words."""
        return f"for each {self.name}"


class Repeat(Block, keyword="repeat"):
    """Do steps several times: a number of times, while a condition holds, or until one holds.

    The condition is checked before each pass.
    """

    own_row: ClassVar[bool] = False
    one_of: ClassVar[tuple[str, ...]] = ("times", "while", "until")
    secret_fields: ClassVar[Collection[str] | None] = ("while", "until")  # a check sends nothing
    unused_fields: ClassVar[Collection[str]] = ("screenshot", "navigates", "heal")
    at_most_one: ClassVar[tuple[tuple[str, ...], ...]] = (("times", "at_most"),)
    times: Annotated[int, Field(ge=0, le=MAX_AT_MOST)] | None = Field(None, description="The number of passes.")
    as_long: Condition | None = Field(
        None, validation_alias="while", serialization_alias="while", description="Go on while this holds."
    )
    until: Condition | None = Field(None, description="Go on until this holds.")
    at_most: Annotated[int, Field(ge=1, le=MAX_AT_MOST)] = Field(
        AT_MOST, description="The step fails after this many passes if the condition asks for more."
    )
    steps: Steps = Field(description=INSIDE)

    @property
    def passes(self) -> int | None:
        """The number of passes, if it is given."""
        return self.times if isinstance(self.times, int) else None

    def sentence(self) -> str:
        """Return the loop in words."""
        if self.times is not None:
            return f"repeat {self.times} times"
        return f"repeat while {self.as_long}" if self.as_long is not None else f"repeat until {self.until}"


class If(Block, keyword="if"):
    """Do steps only if a condition holds, and others if not."""

    beside: ClassVar[tuple[str, ...]] = ("if", "then", "else")
    bodies: ClassVar[tuple[str, ...]] = ("then", "otherwise")
    secret_fields: ClassVar[Collection[str] | None] = ("if",)  # a check sends nothing
    unused_fields: ClassVar[Collection[str]] = ("screenshot", "navigates", "heal")
    condition: Condition = Field(validation_alias="if", serialization_alias="if", description="The condition.")
    then: Steps = Field(description="The steps if it holds.")
    otherwise: Many[Step] = Field(
        (), validation_alias="else", serialization_alias="else", description="The steps if it does not hold."
    )

    @property
    def passes(self) -> None:
        """None: the condition decides."""
        return None

    def sentence(self) -> str:
        """Return the branch in words."""
        return f"if {self.condition}"


class Retry(Block, keyword="retry"):
    """Do steps again from the first one until all of them pass.

    A failed attempt is not a failure of the run; the last one is. Without `for` and `attempts`, for 30s.
    """

    time_ms: Duration | None = Field(
        None, validation_alias="for", serialization_alias="for", description="How long attempts may begin."
    )
    every_ms: Duration = Field(
        RETRY_EVERY_MS,
        validation_alias="every",
        serialization_alias="every",
        description="The pause between two attempts; 1s by default.",
    )
    attempts: Annotated[int, Field(ge=1, le=MAX_AT_MOST)] | None = Field(None, description="The most attempts.")
    steps: Steps = Field(description=INSIDE)

    @property
    def passes(self) -> None:
        """None: the failures decide."""
        return None

    @property
    def limit_ms(self) -> int | None:
        """The time in which attempts may begin; None is without end."""
        return RETRY_MS if self.time_ms is None and self.attempts is None else self.time_ms
