"""Actions on the fields of forms, and keys."""

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from qa_queue.cases.actions.pointer import PointAction
from qa_queue.cases.keyboard import key_problem
from qa_queue.cases.steps import Action, OnTarget
from qa_queue.cases.targets import TARGET_KEYS, Target
from qa_queue.cases.vocabulary import Count, Duration, Many, OneOrMoreWords, Words, all_keys

FORCE = Field(False, description="Act without waiting until the element can be used.")


class Fill(OnTarget, keyword="fill"):
    """Set a field's value at once. On a select it chooses, on a checkbox it ticks."""

    actionability: ClassVar[tuple[str, ...]] = ("visible", "enabled", "editable")
    secret_fields: ClassVar[Collection[str] | None] = ("target", "value")
    value: str = Field(description="The text.")
    keep_checked: bool = Field(
        False,
        description="Leave a checkbox or radio button as it is: a recorded change has its value, not its state.",
    )
    force: bool = FORCE


class Clear(OnTarget, keyword="clear"):
    """Remove the text of a field."""

    actionability: ClassVar[tuple[str, ...]] = ("visible", "enabled", "editable")
    force: bool = FORCE


class Type(OnTarget, keyword="type", verb="type into"):
    """Type a text key by key."""

    actionability: ClassVar[tuple[str, ...]] = ("visible", "enabled")
    secret_fields: ClassVar[Collection[str] | None] = ("target", "value")
    value: str = Field(description="The text.")
    delay_ms: Duration | None = Field(
        None, validation_alias="delay", serialization_alias="delay", description="The time between two keys."
    )


class Press(Action, keyword="press"):
    """Press a key or chord, such as Enter or Control+A, on an element or on the page."""

    short: ClassVar[str | None] = "key"
    actionability: ClassVar[tuple[str, ...]] = ("visible", "enabled")
    key: Words = Field(description="The key or chord.")
    target: Target | None = Field(None, description="The element; without it, the page.")
    delay_ms: Duration | None = Field(
        None, validation_alias="delay", serialization_alias="delay", description="How long the key stays down."
    )

    @property
    def pause_ms(self) -> int:
        """The time that the key stays down."""
        return self.delay_ms or 0

    def disagreements(self) -> Iterable[str]:
        """Yield what is wrong with the given keys together, and with the key to press."""
        yield from super().disagreements()
        if problem := key_problem(self.key):
            yield problem

    def sentence(self) -> str:
        """Return the action in words."""
        return f"press {self.key}" + (f" on {self.target}" if self.target else "")


class Focus(OnTarget, keyword="focus"):
    """Give an element the focus."""

    actionability: ClassVar[tuple[str, ...]] = ()


class Blur(OnTarget, keyword="blur", verb="take the focus from"):
    """Take the focus from an element."""

    actionability: ClassVar[tuple[str, ...]] = ()


class CheckBox(PointAction, keyword="check"):
    """Tick a checkbox or choose a radio button."""

    elsewhere: ClassVar[Mapping[str, str]] = {"value": "check_value"}
    holds_soft: ClassVar[bool] = True


class UncheckBox(PointAction, keyword="uncheck"):
    """Untick a checkbox."""


class Select(OnTarget, keyword="select", verb="select in"):
    """Choose options of a select element."""

    actionability: ClassVar[tuple[str, ...]] = ("visible", "enabled")
    one_of: ClassVar[tuple[str, ...]] = ("value", "label", "values", "index")
    value: str | None = Field(None, description="The option of this value.")
    label: str | None = Field(None, description="The option that shows this text.")
    values: Annotated[Many[str], Field(min_length=1)] = Field((), description="The options of these values.")
    index: Count | None = Field(None, description="The option at this place, from 0.")
    force: bool = FORCE

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return the mapping; `label` beside another way to name the option is that of the field."""
        if isinstance(value, dict) and "label" in value and "target" not in value:
            if value.keys() & {"value", "values", "index"}:
                own = {key: item for key, item in value.items() if key in all_keys(cls) and key != "label"}
                return own | {"target": {key: item for key, item in value.items() if key not in own}}
            if not value.keys() & TARGET_KEYS - {"label"}:
                raise ValueError("'label' is that of the option: name the field under 'target'")
        return super().long_form(value)


class Upload(OnTarget, keyword="upload", verb="upload to"):
    """Give files to a file input."""

    actionability: ClassVar[tuple[str, ...]] = ()
    files: OneOrMoreWords = Field(description="Paths, relative to the case file.")
