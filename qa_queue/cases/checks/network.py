"""Checks of the network and the console."""

from typing import Annotated, ClassVar

from pydantic import Field

from qa_queue.cases.checks.base import PageCheck, TrueOrMapping, named
from qa_queue.cases.traffic import RegexMatch, RequestPattern, ResponsePattern, UrlPattern
from qa_queue.cases.vocabulary import Count, Many, Words


class ToHaveResponse(PageCheck, keyword="response"):
    """A page received this response since the case began, or receives it in time."""

    records_traffic: ClassVar[bool] = True
    response: ResponsePattern = named(
        "to_have_response",
        "response",
        "The response: a glob of its URL, or a mapping with `url`, `method`, `status`.",
    )

    def sentence(self) -> str:
        """Return the check in words."""
        return f"{'no ' if self.negate else ''}response {self.response}"

    def expectation(self) -> str:
        """Return the expected response for the message of a failure."""
        return f"{'no' if self.negate else 'a'} response {self.response}"


class ToHaveRequest(PageCheck, keyword="request"):
    """A page sent this request since the case began, or sends it in time."""

    records_traffic: ClassVar[bool] = True
    request: RequestPattern = named(
        "to_have_request", "request", "The request: a glob of its URL, or a mapping with `url` and `method`."
    )
    times: Count | None = Field(None, description="Exactly this often; without it, at least once.")

    def sentence(self) -> str:
        """Return the check in words."""
        return self.expectation().removeprefix("a ")

    def expectation(self) -> str:
        """Return the expected requests for the message of a failure."""
        if self.times is None:
            return f"{'no' if self.negate else 'a'} request {self.request}"
        return f"{'not ' if self.negate else ''}{self.times} times the request {self.request}"


class IgnoredRequests(TrueOrMapping):
    """Requests that may fail."""

    ignore: Many[UrlPattern] = Field((), description="URLs that may fail: globs, or `{matches: REGEX}`.")


class IgnoredMessages(TrueOrMapping):
    """Messages that may be in the console."""

    ignore: Many[Words | RegexMatch] = Field(
        (), description="Messages that may appear: parts of their text, or `{matches: REGEX}`."
    )


class ToHaveNoFailedRequests(PageCheck, keyword="no_failed_requests"):
    """No request of a page failed so far: none was without a response, and none was answered by 400 or above."""

    records_traffic: ClassVar[bool] = True
    no_failed_requests: Annotated[IgnoredRequests, Field()] = named(
        "to_have_no_failed_requests", "no_failed_requests", "`true`, or `{ignore: [...]}` with URLs that may fail."
    )

    def sentence(self) -> str:
        """Return the check in words."""
        return self.expectation()

    def expectation(self) -> str:
        """Return the expected state."""
        return "a failed request" if self.negate else "no failed requests"


class ToHaveNoConsoleErrors(PageCheck, keyword="no_console_errors"):
    """No page wrote an error to the console or raised one so far."""

    no_console_errors: Annotated[IgnoredMessages, Field()] = named(
        "to_have_no_console_errors", "no_console_errors", "`true`, or `{ignore: [...]}` with parts of messages."
    )

    def sentence(self) -> str:
        """Return the check in words."""
        return self.expectation()

    def expectation(self) -> str:
        """Return the expected state."""
        return "a console error" if self.negate else "no console errors"
