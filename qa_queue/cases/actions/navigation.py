"""Actions that open pages."""

from typing import ClassVar, Literal

from pydantic import Field

from qa_queue.cases.steps import Action
from qa_queue.cases.urls import WebUrl

WaitUntil = Literal["load", "domcontentloaded", "networkidle", "commit"]


class Navigation(Action):
    """An action that leads to a page and waits for it."""

    wait_until: WaitUntil = Field("load", description="Wait until the page has loaded this far.")


class Goto(Navigation, keyword="goto", verb="go to"):
    """Open a URL, joined to the base URL."""

    short: ClassVar[str | None] = "url"
    url: WebUrl = Field(description="The URL.")
    referer: WebUrl | None = Field(None, description="The Referer header.")


class Reload(Navigation, keyword="reload", verb="reload the page"):
    """Load the page again."""

    bare: ClassVar[bool] = True


class Back(Navigation, keyword="back", verb="go back"):
    """Go to the page before in the history."""

    bare: ClassVar[bool] = True


class Forward(Navigation, keyword="forward", verb="go forward"):
    """Go to the page after in the history."""

    bare: ClassVar[bool] = True
