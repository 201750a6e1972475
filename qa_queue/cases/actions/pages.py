"""Actions on the pages of the browser: tabs and windows, dialogs and downloads."""

from collections.abc import Collection, Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from qa_queue.cases.actions.control import INSIDE, Steps
from qa_queue.cases.checks.events import DialogKind, FilePattern
from qa_queue.cases.patterns import TextWords
from qa_queue.cases.steps import Action, Block, SaveAsUse
from qa_queue.cases.traffic import UrlPattern
from qa_queue.cases.urls import WebUrl
from qa_queue.cases.vocabulary import Words, expected

NEWEST = "newest"
PageIndex = Annotated[int, Field(ge=-1_000, le=1_000)]


class NewPage(Action, keyword="new_page", verb="open a new page"):
    """Open a page beside the others and continue on it."""

    short: ClassVar[str | None] = "url"
    bare: ClassVar[bool] = True
    url: WebUrl | None = Field(None, description="The URL, joined to the base URL; without it, an empty page.")


class SwitchPage(Action, keyword="switch_page", verb="switch to the page"):
    """Continue on another page: on the newest one, after a click that opens it, or by title, URL or index."""

    one_of: ClassVar[tuple[str, ...]] = ("newest", "title", "url", "index")
    short_schema: ClassVar[dict[str, Any]] = {"const": NEWEST}
    newest: Literal[True] | None = Field(
        None, description="The page opened last, on which no step has been yet; waits for it."
    )
    title: TextWords | None = Field(
        None, description="The page with this title, or whose title matches a regular expression; waits for it."
    )
    url: UrlPattern | None = Field(
        None, description="The page whose URL matches this glob, or `{matches: REGEX}`; waits for it."
    )
    index: PageIndex | None = Field(
        None, description="The page at this place in order of opening, from 0; -1 is the last."
    )

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return `newest` as its mapping."""
        if value == NEWEST:
            return {NEWEST: True}
        if not isinstance(value, dict):
            raise expected(f"{NEWEST} or a mapping such as {{title: Receipt}}", value)
        return super().long_form(value)

    @property
    def wanted(self) -> str:
        """The page in words, as `with title 'Receipt'`."""
        if self.title is not None:
            return f"with title {self.title!r}"
        if self.url is not None:
            return f"with URL {self.url}"
        return "opened last" if self.index is None else f"with index {self.index}"

    def sentence(self) -> str:
        """Return the action in words."""
        return f"{self.verb} {self.wanted}"


class ClosePage(Action, keyword="close_page", verb="close the page"):
    """Close the page and continue on the one before it."""

    bare: ClassVar[bool] = True


class AnswerDialog(Action, keyword="dialog", verb="dialog:"):
    """Answer the next dialog (alert, confirm, prompt, or the question before a page is left), and check it.

    Written before the step that leads to the dialog. A dialog that is not the expected one is dismissed and fails
    the step in which it appears.
    """

    short: ClassVar[str | None] = "answer"
    secret_fields: ClassVar[Collection[str] | None] = ()  # the dialog may be that of another host
    at_most_one: ClassVar[tuple[tuple[str, ...], ...]] = (("message", "contains"),)
    answer: Literal["accept", "dismiss"] = Field(description="OK or Cancel.")
    prompt: str | None = Field(None, description="The text to enter before accepting; the page's own if not given.")
    message: TextWords | None = Field(
        None, description="The expected message, white space folded, or a regular expression."
    )
    contains: Words | None = Field(None, description="A part of the expected message.")
    kind: DialogKind | None = Field(
        None, validation_alias="type", serialization_alias="type", description="The expected type of the dialog."
    )

    def disagreements(self) -> Iterable[str]:
        """Yield what is wrong with the given keys together."""
        yield from super().disagreements()
        if self.prompt is not None and self.answer == "dismiss":
            yield "'prompt' goes with 'answer: accept'"


class Download(Block, FilePattern, keyword="download"):
    """Wait for the download that the steps inside begin, check it and save it as an artifact.

    Without `name` it is the first one. `save_as` names a variable for its `name`, `size`, `url` and `text`.
    """

    unused_fields: ClassVar[Collection[str]] = ("navigates", "heal")

    secret_fields: ClassVar[Collection[str] | None] = None  # a check compares, and sends nothing
    steps: Steps = Field(description=INSIDE)

    @property
    def save_as_use(self) -> SaveAsUse:
        """Optional: a download may only be checked."""
        return "optional"

    def sentence(self) -> str:
        """Return the action in words."""
        return self.wanted.removeprefix("a ")
