"""Checks of an element."""

from __future__ import annotations

from qa_queue.cases.checks.base import ElementCheck, Flag, FlagCheck, named
from qa_queue.cases.vocabulary import MAX_COUNT


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


class ToHaveText(ElementCheck, keyword="text"):
    """The element's whole text is this, white space folded."""

    text: str = named("to_have_text", "text", "The element's whole text.")


class ToContainText(ElementCheck, keyword="contains_text", words="to contain text"):
    """The element's text contains this, white space folded."""

    contains_text: str = named("to_contain_text", "contains_text", "A part of the element's text.")


class ToHaveValue(ElementCheck, keyword="value"):
    """The field's value is this."""

    value: str = named("to_have_value", "value", "The field's value.")


class ToHaveCount(ElementCheck, keyword="count"):
    """This many elements match."""

    count: int = named("to_have_count", "count", "The number of elements that match.", ge=0, le=MAX_COUNT)

    @property
    def requires_presence(self) -> bool:
        """False: fallbacks would count other elements."""
        return False


class ToBeChecked(FlagCheck, keyword="checked"):
    """The checkbox or radio button is checked."""

    checked: Flag = named("to_be_checked", "checked", "The checkbox or radio button is checked.")


class ToBeEnabled(FlagCheck, keyword="enabled"):
    """The element is enabled."""

    enabled: Flag = named("to_be_enabled", "enabled", "The element is enabled.")


class ToBeDisabled(FlagCheck, keyword="disabled"):
    """The element is disabled."""

    disabled: Flag = named("to_be_disabled", "disabled", "The element is disabled.")
