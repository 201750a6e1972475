"""Checks of the page."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from qa_queue.cases.checks.base import ElementCheck, PageCheck, TrueOrMapping, named
from qa_queue.cases.checks.element import IGNORE_CASE
from qa_queue.cases.patterns import Text
from qa_queue.cases.targets import Targets
from qa_queue.cases.traffic import UrlPattern
from qa_queue.cases.vocabulary import OneOrMoreWords

IMPACTS = ("minor", "moderate", "serious", "critical")
Impact = Literal["minor", "moderate", "serious", "critical"]


class ToHaveURL(PageCheck, keyword="url", words="URL"):
    """The page's URL matches this glob, relative to the base URL, or a regular expression."""

    url: UrlPattern = named(
        "to_have_url", "url", "A glob such as **/home, relative to the base URL, or {matches: REGEX}."
    )
    ignore_case: bool = IGNORE_CASE


class ToHaveTitle(PageCheck, keyword="title"):
    """The page's title is this."""

    title: Text = named("to_have_title", "title", "The page's title.")


class AccessibilityRules(TrueOrMapping):
    """The rules of axe that count, from which impact on, and the parts of the page that do not."""

    settings: ClassVar[str] = "a mapping such as {tags: [wcag2a, wcag2aa], impact: serious}"
    at_most_one: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("rules", "tags"),
        ("rules", "exclude_rules"),
        ("rules", "exclude_tags"),
    )
    tags: OneOrMoreWords = Field((), description="Only rules with one of these tags, such as wcag2a.")
    rules: OneOrMoreWords = Field((), description="Only these rules, such as color-contrast.")
    exclude_tags: OneOrMoreWords = Field((), description="No rules with one of these tags.")
    exclude_rules: OneOrMoreWords = Field((), description="None of these rules.")
    impact: Impact | None = Field(
        None, description="Only violations of this impact or worse: minor, moderate, serious or critical."
    )
    exclude: Targets = Field((), description="Elements to leave out, with everything inside.")

    def counts(self, impact: str | None) -> bool:
        """Tell whether a violation of this impact counts; axe gives some none."""
        return self.impact is None or (impact in IMPACTS and IMPACTS.index(impact) >= IMPACTS.index(self.impact))


class ToBeAccessible(ElementCheck, keyword="accessibility"):
    """The page or element, frames included, violates no rule of [axe](https://github.com/dequelabs/axe-core).

    Workers need the extra `accessibility`.
    """

    needs_target: ClassVar[bool] = False
    accessibility: Annotated[AccessibilityRules, Field()] = named(
        "to_be_accessible", "accessibility", "`true`, or a mapping of the rules that count."
    )

    def sentence(self) -> str:
        """Return the check in words."""
        return f"{self.subject or 'page'} {'in' if self.negate else ''}accessible"

    def expectation(self) -> str:
        """Return the expected state for the message of a failure."""
        impact = self.accessibility.impact
        worse = f" of impact {impact}{'' if impact == IMPACTS[-1] else ' or worse'}" if impact else ""
        return f"{'an accessibility violation' if self.negate else 'no accessibility violations'}{worse}"
