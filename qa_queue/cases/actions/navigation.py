"""Actions that open pages."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from qa_queue.cases.steps import Action
from qa_queue.cases.urls import WebUrl


class Goto(Action, keyword="goto", verb="go to"):
    """Open a URL, joined to the base URL."""

    short: ClassVar[str | None] = "url"
    url: WebUrl = Field(description="The URL.")


class Reload(Action, keyword="reload", verb="reload the page"):
    """Load the page again."""

    bare: ClassVar[bool] = True
