"""Checks of the page."""

from __future__ import annotations

from qa_queue.cases.checks.base import PageCheck, named
from qa_queue.cases.checks.element import IGNORE_CASE
from qa_queue.cases.patterns import Text
from qa_queue.cases.traffic import UrlPattern


class ToHaveURL(PageCheck, keyword="url", words="URL"):
    """The page's URL matches this glob, relative to the base URL, or a regular expression."""

    url: UrlPattern = named(
        "to_have_url", "url", "A glob such as **/home, relative to the base URL, or {matches: REGEX}."
    )
    ignore_case: bool = IGNORE_CASE


class ToHaveTitle(PageCheck, keyword="title"):
    """The page's title is this."""

    title: Text = named("to_have_title", "title", "The page's title.")
