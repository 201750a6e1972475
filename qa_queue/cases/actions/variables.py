"""Actions on variables: setting them, and reading them from the page."""

from collections.abc import Collection, Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from qa_queue.cases.json_path import JsonPath
from qa_queue.cases.steps import Action, SaveAsUse
from qa_queue.cases.targets import Target
from qa_queue.cases.traffic import Regex
from qa_queue.cases.vocabulary import NAMES_SCHEMA, Json, JsonValues, Name, Words, expected


def _variable(value: Any) -> Any:
    if value is True or isinstance(value, str):
        return value
    raise expected("the name of a variable, or true beside 'save_as'", value)


Variable = Annotated[Literal[True] | Name, BeforeValidator(_variable)]


class SetVariables(Action, keyword="set", verb="set"):
    """Give variables values: `set: {total: 7, name: "${data.user}"}`."""

    spread: ClassVar[str | None] = "values"
    secret_fields: ClassVar[Collection[str] | None] = ()
    values: JsonValues = Field(
        min_length=1, description="The values by the names of their variables.", json_schema_extra=NAMES_SCHEMA
    )

    @property
    def assigned(self) -> Collection[str]:
        """The names of the variables."""
        return tuple(self.values)

    def sentence(self) -> str:
        """Return the action in words."""
        return f"set {', '.join(self.values)}"


class Evaluate(Action, keyword="evaluate", verb="evaluate a script"):
    """Run JavaScript in the page, where the operator allows it (`QA_EVALUATE`); `save_as` names its result.

    An expression, or a function that gets the element, if there is one, and the argument.
    """

    short: ClassVar[str | None] = "script"
    actionability: ClassVar[tuple[str, ...]] = ()
    secret_fields: ClassVar[Collection[str] | None] = ()
    script: Words = Field(description="The script, such as `document.title` or `(table, n) => table.rows[n].id`.")
    target: Target | None = Field(None, description="The element; without it, the page.")
    argument: Json = Field(
        None, validation_alias="arg", serialization_alias="arg", description="The function's argument."
    )

    @property
    def runs_script(self) -> bool:
        """True: that is what it does."""
        return True

    @property
    def save_as_use(self) -> SaveAsUse:
        """Optional: a script may be run for what it does."""
        return "optional"

    def sentence(self) -> str:
        """Return the action in words."""
        return f"{self.verb} on {self.target}" if self.target is not None else self.verb


class Extract(Action, keyword="extract"):
    """Read a value from the page into a variable.

    `text`, `value`, `count`, `url` and `title` name the variable, as in `text: total`; the others name what is
    read, and `save_as` beside `extract` names the variable.
    """

    actionability: ClassVar[tuple[str, ...]] = ()
    one_of: ClassVar[tuple[str, ...]] = (
        "text", "value", "count", "url", "title", "attribute", "cookie", "local_storage", "session_storage", "from",
    )  # fmt: skip
    naming: ClassVar[tuple[str, ...]] = ("text", "value", "count", "url", "title")
    needs: ClassVar[dict[str, str]] = dict.fromkeys(("text", "value", "count", "attribute"), "target")
    target: Target | None = Field(None, description="The element.")
    text: Variable | None = Field(None, description="The element's text, white space folded.")
    value: Variable | None = Field(None, description="The field's value.")
    count: Variable | None = Field(None, description="The number of elements that match.")
    url: Variable | None = Field(None, description="The page's URL.")
    title: Variable | None = Field(None, description="The page's title.")
    attribute: Words | None = Field(None, description="The attribute of this name.")
    cookie: Words | None = Field(None, description="The value of the cookie of this name.")
    local_storage: Words | None = Field(None, description="The item of this key in the page's local storage.")
    session_storage: Words | None = Field(None, description="The item of this key in its session storage.")
    source: Json = Field(
        None, validation_alias="from", serialization_alias="from", description="A value, such as ${var.response}."
    )
    every: bool = Field(
        False,
        validation_alias="all",
        serialization_alias="all",
        description="Read every element that matches, into a list.",
    )
    json_path: JsonPath | None = Field(
        None,
        validation_alias="json",
        serialization_alias="json",
        description="Read the value as JSON and take the part at this path, such as $.items[0].id.",
    )
    match: Regex | None = Field(
        None,
        description="Take what this regular expression matches, or its first group if it has one.",
    )

    @property
    def what(self) -> str:
        """The key that names what is read."""
        return next((key for key in self.one_of if key in self.given()), "from")  # whose value may be null by now

    @property
    def variable(self) -> str | None:
        """The variable, where the action names it."""
        named = getattr(self, self.what) if self.what in self.naming else None
        return named if isinstance(named, str) else None

    @property
    def assigned(self) -> Collection[str]:
        """The name of the variable."""
        return () if self.variable is None else (self.variable,)

    @property
    def save_as_use(self) -> SaveAsUse:
        """Required unless the action names the variable itself."""
        return "required" if self.variable is None else "none"

    @property
    def requires_presence(self) -> bool:
        """True where one element is read."""
        return self.count is None and not self.every

    def disagreements(self) -> Iterable[str]:
        """Yield what is wrong with the given keys together."""
        yield from super().disagreements()
        if self.every and not {"text", "value", "attribute"} & self.given():
            yield "'all' goes with 'text', 'value' and 'attribute'"

    def sentence(self) -> str:
        """Return the action in words."""
        what = f"{self.what} {getattr(self, self.what)}" if self.what not in (*self.naming, "from") else self.what
        of = f" of {self.target}" if self.target is not None else ""
        return f"read the {what.replace('_', ' ')}{of}" if self.what != "from" else "read a part of a value"
