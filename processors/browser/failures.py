"""From Playwright's errors to one line that says what was wrong, and its kind. Pure: works on texts.

Playwright's message is a first line and a call log of up to hundreds of lines; the log is read for the one fact
that explains the failure and then dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from processors.browser.suggestions import suggested_target
from qa_queue.errors import QAError
from qa_queue.models import ErrorKind

LISTED_MATCHES = 5
LINE_CHARS = 300  # of one quoted piece of a page
# The last one is what Playwright's Python side says of a message that a dying browser's driver sent in two parts.
_CLOSED = (
    "Target page, context or browser has been closed",
    "Connection closed",
    "was not bound in the connection",
)
_CRASHED = ("Target crashed", "Page crashed")
_COVERED = re.compile(r"- (<.*>) (?:from .+ subtree )?intercepts pointer events")
_MATCH_LINE = re.compile(r"^\s+\d+\) (.*)$", re.MULTILINE)
_NET_ERROR = re.compile(r"net::ERR_(\w+)(?: <(.*?)>)?")
_UNUSABLE = (
    ("element is not enabled", "it is disabled"),
    ("element is not visible", "it is hidden"),
    ("element is not stable", "it keeps moving"),
    ("element is not editable", "it is read-only"),
    ("element is outside of the viewport", "it is outside of the viewport"),
    ("did not find some options", "it has no such option"),
    ("option being selected is not enabled", "that option is disabled"),
    ("element was detached from the DOM", "the page keeps replacing it"),
)
_CAUSES = (
    ("CONNECTION_REFUSED", "nothing listens there; is the site up?"),
    ("NAME_NOT_RESOLVED", "the host name is not known"),
    ("TOO_MANY_REDIRECTS", "the site redirects in a loop"),
    ("CERT_", "its TLS certificate is not trusted"),
    ("SSL_", "TLS failed"),
    ("TIMED_OUT", "the host does not answer"),
    ("CONNECTION_", "the server broke the connection"),
    ("EMPTY_RESPONSE", "the server answered nothing"),
    ("INTERNET_DISCONNECTED", "there is no network"),
    ("ADDRESS_", "the host cannot be reached"),
    ("UNSAFE_PORT", "browsers refuse this port"),
    ("BLOCKED_BY_CLIENT", "the service refuses this address"),
    ("UNSAFE_REDIRECT", "the site redirects to an address that is not a page of the web"),
    ("ABORTED", "it was stopped: a download, or another navigation"),
)


class StepFailedError(QAError):
    """A step failed in a way that its own code knows best; `acted` if only after its action.

    `pictures` are PNGs by name that show the failure.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        acted: bool = False,
        pictures: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.pictures = pictures
        self.kind = kind
        self.acted = acted


def is_closed(text: str) -> bool:
    """Return True if the page, context or browser was closed."""
    return any(words in text for words in _CLOSED)


def is_done(text: str) -> bool:
    """Return True for the error of an action that was done, and waited for a page that it opens."""
    return "action done" in text


def is_crash(text: str) -> bool:
    """Return True if the page's own process died."""
    return any(mark in text for mark in _CRASHED)


def explain(text: str, *, subject: str, timeout_ms: int) -> StepFailedError:
    """Explain an action's error; `subject` names the element, as in "button 'Sign in'"."""
    if "strict mode violation" in text:
        return ambiguous(text, subject)
    if "Timeout" not in text.split("\n", 1)[0]:
        return StepFailedError(_rejected_kind(text), f"{subject}: {first_line(text)}")
    if "locator resolved to" not in text:
        return StepFailedError(ErrorKind.NOT_FOUND, f"{subject} was not found in {timeout_ms} ms")
    return StepFailedError(
        ErrorKind.NOT_ACTIONABLE, f"{subject} cannot be used: {_why_unusable(text)}, for {timeout_ms} ms"
    )


def ambiguous(text: str, subject: str) -> StepFailedError:
    """More than one element matches: list them, each with a target that matches it alone."""
    lines = _MATCH_LINE.findall(text)
    count = re.search(r"resolved to (\d+) elements", text)
    total = int(count.group(1)) if count else len(lines)
    listed = "; ".join(f"{n}) {_match(line)}" for n, line in enumerate(lines[:LISTED_MATCHES], 1))
    more = f"; and {total - LISTED_MATCHES} more" if total > LISTED_MATCHES else ""
    advice = "Use the target of one of them, or narrow yours by `exact`, `within`, `has_text` or `nth`."
    return StepFailedError(ErrorKind.AMBIGUOUS, f"{subject} matches {total} elements: {listed}{more}. {advice}")


def _match(line: str) -> str:
    """Return an element of Playwright's list, with its own target where there is one."""
    element, _, locator = line.rpartition(" aka ")
    target = suggested_target(locator) if element else None
    return shorten(line) if target is None else f"{shorten(element)} is {shorten(target)}"


def navigation(text: str, *, url: str, timeout_ms: int) -> StepFailedError:
    """Explain why a page did not open."""
    found = _NET_ERROR.search(text)
    if found is None and "Timeout" in text:
        return StepFailedError(ErrorKind.NAVIGATION, f"{url} did not load in {timeout_ms} ms")
    if found is None:
        return StepFailedError(ErrorKind.NAVIGATION, f"cannot open {url}: {first_line(text)}")
    code = found.group(1)
    cause = network_cause(code)
    detail = f": {found.group(2)}" if found.group(2) else ""
    return StepFailedError(ErrorKind.NAVIGATION, f"cannot open {url}: {cause}{detail} (ERR_{code})")


def network_cause(code: str) -> str:
    """Return the cause in words that Chromium names by a code such as CONNECTION_REFUSED."""
    return next((words for mark, words in _CAUSES if code.startswith(mark)), "the browser gave up")


def first_line(text: str) -> str:
    """Playwright's first line without its method's name and the word Error."""
    line = text.split("\n", 1)[0]
    return shorten(re.sub(r"^(?:\w+\.\w+: )?(?:Error: )?", "", line))


def _why_unusable(text: str) -> str:
    for line in reversed(text.splitlines()):
        if covered := _COVERED.search(line):
            return f"it is covered by {shorten(covered.group(1))}"
        for mark, words in _UNUSABLE:
            if mark in line:
                return words
    return "it did not become ready"


def _rejected_kind(text: str) -> ErrorKind:
    """Return the kind of an error that Playwright raised at once: the case's fault if it could not parse a text."""
    marks = ("Unknown key", "parsing", "Unexpected token", "not a valid selector", "Unknown engine", "Malformed")
    return ErrorKind.INPUT if any(mark in text for mark in marks) else ErrorKind.NOT_ACTIONABLE


def shorten(text: str) -> str:
    """Return a piece of a page as one line of limited length."""
    line = " ".join(text.split())
    return line if len(line) <= LINE_CHARS else f"{line[: LINE_CHARS - 1]}…"
