"""Checks of the page."""

from __future__ import annotations

from qa_queue.cases.checks.base import PageCheck, named


class ToHaveURL(PageCheck, keyword="url", words="URL"):
    """The page's URL matches this glob, relative to the base URL."""

    url: str = named("to_have_url", "url", "A glob such as **/home; relative to the base URL.", min_length=1)


class ToHaveTitle(PageCheck, keyword="title"):
    """The page's title is this."""

    title: str = named("to_have_title", "title", "The page's title.")
