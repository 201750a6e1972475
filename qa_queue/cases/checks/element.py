"""Checks of an element."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from qa_queue.cases.checks.base import ElementCheck, Flag, FlagCheck, named
from qa_queue.cases.patterns import Text, Texts
from qa_queue.cases.targets import Role
from qa_queue.cases.vocabulary import JSON, Count, Json, Many, Vocabulary, Words

IGNORE_CASE = Field(False, description="Compare without regard to case.")
OneNamed = Field(min_length=1, max_length=1)


class ToBeVisible(FlagCheck, keyword="visible"):
    """The element is visible."""

    visible: Flag = named("to_be_visible", "visible", "The element is visible.")

    @property
    def requires_presence(self) -> bool:
        """True unless the element must not be visible."""
        return not self.negate


class ToBeHidden(FlagCheck, keyword="hidden"):
    """The element is hidden or absent."""

    hidden: Flag = named("to_be_hidden", "hidden", "The element is hidden or absent.")

    @property
    def requires_presence(self) -> bool:
        """True where the element must not be hidden."""
        return self.negate


class ToBeAttached(FlagCheck, keyword="attached"):
    """The element is in the document, visible or not."""

    attached: Flag = named("to_be_attached", "attached", "The element is in the document.")

    @property
    def requires_presence(self) -> bool:
        """True unless the element must not be there."""
        return not self.negate


class ToBeInViewport(FlagCheck, keyword="in_viewport", words="in the viewport"):
    """The element is in the visible part of the page."""

    in_viewport: Flag = named("to_be_in_viewport", "in_viewport", "A part of the element is in the viewport.")
    ratio: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="The least part of its area, from 0 to 1; without it, any part."
    )


class ToHaveText(ElementCheck, keyword="text"):
    """The element's whole text is this, white space folded; with a list, each of the elements has its own."""

    text: Texts = named("to_have_text", "text", "The element's whole text, or a list for several elements.")
    ignore_case: bool = IGNORE_CASE


class ToContainText(ElementCheck, keyword="contains_text", words="to contain text"):
    """The element's text contains this, white space folded; with a list, some elements in this order do."""

    contains_text: Texts = named(
        "to_contain_text", "contains_text", "A part of the element's text, or a list for several elements."
    )
    ignore_case: bool = IGNORE_CASE


class ToBeEmpty(FlagCheck, keyword="empty"):
    """The field has no text, or the element no content."""

    empty: Flag = named("to_be_empty", "empty", "The field has no text, or the element no content.")


class ToHaveValue(ElementCheck, keyword="value"):
    """The field's value is this."""

    value: Text = named("to_have_value", "value", "The field's value.")


class ToHaveValues(ElementCheck, keyword="values"):
    """The options with these values are chosen in a list of several."""

    values: Many[Text] = named("to_have_values", "values", "The values of the chosen options, in order.")


class CountRange(Vocabulary):
    """Limits of a number of elements."""

    greater: Count | None = Field(None, description="More than this.")
    less: Count | None = Field(None, description="Less than this.")
    at_least: Count | None = Field(None, description="This or more.")
    at_most: Count | None = Field(None, description="This or less.")

    def disagreements(self) -> Iterable[str]:
        """Yield what is wrong with the given keys together."""
        if not self.given():
            yield f"gives none of {', '.join(type(self).model_fields)}"

    def allows(self, number: int) -> bool:
        """Tell whether a number is within the limits."""
        above = self.greater is None or number > self.greater, self.at_least is None or number >= self.at_least
        below = self.less is None or number < self.less, self.at_most is None or number <= self.at_most
        return all((*above, *below))

    def __str__(self) -> str:
        given = ((name, getattr(self, name)) for name in type(self).model_fields)
        return " and ".join(f"{name.replace('_', ' ')} {value}" for name, value in given if value is not None)

    def __repr__(self) -> str:
        return str(self)


Number = Annotated[
    Annotated[Count, Tag("number")] | Annotated[CountRange, Tag("range")],
    Discriminator(lambda value: "range" if isinstance(value, (dict, CountRange)) else "number"),
]


class ToHaveCount(ElementCheck, keyword="count"):
    """This many elements match."""

    count: Number = named(
        "to_have_count", "count", "The number of elements that match, or limits of it, as {at_least: 2}."
    )

    @property
    def requires_presence(self) -> bool:
        """False: fallbacks would count other elements."""
        return False


class ToBeChecked(FlagCheck, keyword="checked"):
    """The checkbox or radio button is checked."""

    checked: Flag = named("to_be_checked", "checked", "The checkbox or radio button is checked.")
    indeterminate: bool = Field(False, description="It is neither checked nor unchecked instead.")

    def expectation(self) -> str:
        """Return the expected state in words."""
        return super().expectation() + (" as indeterminate" if self.indeterminate else "")


class ToBeEnabled(FlagCheck, keyword="enabled"):
    """The element is enabled."""

    enabled: Flag = named("to_be_enabled", "enabled", "The element is enabled.")


class ToBeDisabled(FlagCheck, keyword="disabled"):
    """The element is disabled."""

    disabled: Flag = named("to_be_disabled", "disabled", "The element is disabled.")


class ToBeEditable(FlagCheck, keyword="editable"):
    """The field is enabled and not read-only."""

    editable: Flag = named("to_be_editable", "editable", "The field is enabled and not read-only.")


class ToBeFocused(FlagCheck, keyword="focused"):
    """The element has the focus."""

    focused: Flag = named("to_be_focused", "focused", "The element has the focus.")


Attribute = Annotated[
    Annotated[Words, Tag("name")] | Annotated[dict[Words, Text], Tag("value"), OneNamed],
    Discriminator(lambda value: "value" if isinstance(value, dict) else "name"),
]


class ToHaveAttribute(ElementCheck, keyword="attribute"):
    """The element has this attribute, or this value of it."""

    attribute: Attribute = named(
        "to_have_attribute", "attribute", "The attribute's name, or its name and value, as {href: /home}."
    )
    ignore_case: bool = IGNORE_CASE


class ToHaveClass(ElementCheck, keyword="class", field="class_"):
    """The element's class attribute is this; with a list, each of the elements has its own."""

    class_: Texts = named("to_have_class", "class", "The whole class attribute, or a list for several elements.")


class ToContainClass(ElementCheck, keyword="contains_class", words="to contain class"):
    """The element has these classes, in any order and among others."""

    contains_class: Words = named("to_contain_class", "contains_class", "The classes, separated by spaces.")


class ToHaveCSS(ElementCheck, keyword="css", words="CSS"):
    """The element's computed style has this value; the element stands under `target`."""

    css: dict[Words, Text] = named(
        "to_have_css", "css", "The property and its computed value, as {color: 'rgb(0, 0, 0)'}.",
        min_length=1, max_length=1,
    )  # fmt: skip
    pseudo: Literal["before", "after"] | None = Field(None, description="Of this pseudo-element.")


class ToHaveJSProperty(ElementCheck, keyword="property", field="property_"):
    """The element's DOM object has this property with this value."""

    property_: Annotated[dict[Words, Json], JSON] = named(
        "to_have_js_property", "property", "The property and its value, as {checked: true}.",
        min_length=1, max_length=1,
    )  # fmt: skip


class ToHaveId(ElementCheck, keyword="id"):
    """The element's id is this."""

    id: Text = named("to_have_id", "id", "The id.")


class ToHaveRole(ElementCheck, keyword="role"):
    """The element has this ARIA role, given or implied; the element stands under `target`."""

    role: Role = named("to_have_role", "role", "The role, such as button.")


class ToHaveAccessibleName(ElementCheck, keyword="accessible_name"):
    """The element's accessible name is this."""

    accessible_name: Text = named("to_have_accessible_name", "accessible_name", "The accessible name.")
    ignore_case: bool = IGNORE_CASE


class ToHaveAccessibleDescription(ElementCheck, keyword="accessible_description"):
    """The element's accessible description is this."""

    accessible_description: Text = named(
        "to_have_accessible_description", "accessible_description", "The accessible description."
    )
    ignore_case: bool = IGNORE_CASE


class ToMatchAriaSnapshot(ElementCheck, keyword="aria_snapshot", words="to match the aria snapshot"):
    """The roles and names in the element, or in the page, are those of this snapshot."""

    needs_target: ClassVar[bool] = False
    aria_snapshot: Words = named(
        "to_match_aria_snapshot", "aria_snapshot", 'Playwright\'s aria snapshot: a list such as `- heading "Hi"`.'
    )

    def wanted_text(self) -> str:
        """Return the snapshot without line breaks."""
        return repr(" ".join(self.aria_snapshot.split()))
