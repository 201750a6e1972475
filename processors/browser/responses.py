"""Responses of HTTP requests: their parts, the expectations of a step on them, and excerpts for messages. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from processors.browser.failures import StepFailedError
from qa_queue.cases.actions import Request
from qa_queue.cases.json_path import NotInDocumentError, value_at
from qa_queue.cases.texts import MASK
from qa_queue.models import ErrorKind

EXCERPT_CHARS = 300
_HEADERS = "headers."
_CONFIDENTIAL = (
    r"[\w-]*(?:pass(?:word|wd|phrase)|secret|token|api[-_]?key|authori[sz]ation|cookie|session|credential)[\w-]*"
)
_NAME = re.compile(_CONFIDENTIAL, re.IGNORECASE)
_PAIR = re.compile(
    rf"({_CONFIDENTIAL}[\"']?\s*[:=]\s*)(\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s&,;}}<\"']+)", re.IGNORECASE
)
_TOKEN = re.compile(r"\b(?:Bearer|Basic)\s+[\w.~+/=-]+|\beyJ[\w-]{10,}\.[\w-]+\.[\w-]*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class HttpResponse:
    """A response with its body; `headers` have names in lower case."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def request(self) -> str:
        """The request in words, as `POST http://shop.example/api/items`."""
        return f"{self.method} {shown_url(self.url)}"

    @property
    def status_words(self) -> str:
        """The status with its name, as `404 Not Found`."""
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return str(self.status)

    @property
    def value(self) -> dict[str, Any]:
        """The response as a value for `save_as`; `json` is null where the body is not JSON."""
        try:
            body = json.loads(self.body)
        except ValueError:
            body = None
        return {"status": self.status, "headers": dict(self.headers), "text": self.text, "json": body}

    def part(self, name: str) -> Any:
        """Return a part of the response: `status`, `text`, `headers.NAME`, or the value at a JSONPath.

        Raises:
            StepFailedError: the response does not have the part.
        """
        if name in ("status", "text"):
            return self.status if name == "status" else self.text
        if name.startswith(_HEADERS):
            found = self.headers.get(name.removeprefix(_HEADERS).lower())
            if found is None:
                raise self._lacks(f"no header {name.removeprefix(_HEADERS)!r}")
            return found
        try:
            return value_at(name, json.loads(self.body))
        except NotInDocumentError:
            raise self._lacks(f"no value at {name}") from None
        except ValueError as error:
            if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
                kind = self.headers.get("content-type", "no content type")
                raise self._lacks(f"no JSON for {name} ({kind})") from None
            raise StepFailedError(ErrorKind.INPUT, str(error)) from None

    def _lacks(self, what: str) -> StepFailedError:
        return StepFailedError(ErrorKind.ASSERTION, f"{self.request}: the response has {what}; {excerpt(self)}")


def verify(args: Request, response: HttpResponse) -> None:
    """Compare a response with the expectations of its step.

    Raises:
        StepFailedError: they differ; the message has all differences and an excerpt of the body.
    """
    if problems := list(_differences(args, response)):
        text = f"{response.request}: {'; '.join(problems)}; {excerpt(response)}"
        raise StepFailedError(ErrorKind.ASSERTION, text)


def _differences(args: Request, response: HttpResponse) -> Iterator[str]:
    if not has_status(args.status, response.status):
        yield f"expected status {' or '.join(args.status)}, got {response.status_words}"
        return
    for name, wanted in args.expect.items():
        found = response.part(name)
        if found != wanted or isinstance(found, bool) != isinstance(wanted, bool):
            yield f"expected {name} {_shown(name, wanted)}, got {_shown(name, found)}"


def has_status(wanted: tuple[str, ...], status: int) -> bool:
    """Return True where a status is one of these codes and classes, such as `201` or `2xx`."""
    return any(text in (str(status), f"{status // 100}xx") for text in wanted)


def saved_parts(args: Request, response: HttpResponse) -> dict[str, Any]:
    """Return the parts of a response that its step saves, by name of the variable.

    Raises:
        StepFailedError: the response does not have one of them.
    """
    return {name: response.part(part) for name, part in args.save.items()}


def excerpt(response: HttpResponse) -> str:
    """Return the beginning of a body for messages, without the values of what is named like a secret."""
    words = " ".join(mask_confidential(response.text[: 10 * EXCERPT_CHARS]).split())
    if not words:
        return "the body is empty"
    return f"body: {words if len(words) <= EXCERPT_CHARS else words[: EXCERPT_CHARS - 1] + '…'}"


def mask_confidential(text: str) -> str:
    """Return a text without tokens, and without the values of passwords, cookies and the like."""
    return _TOKEN.sub(MASK, _PAIR.sub(rf"\1{MASK}", text))


def shown_url(url: str) -> str:
    """Return a URL for messages: without login, and without the values of confidential parameters."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query=mask_confidential(parts.query)))


def _shown(part: str, value: Any) -> str:
    if _NAME.search(part):
        return MASK
    words = mask_confidential(json.dumps(value, ensure_ascii=False))
    return words if len(words) <= EXCERPT_CHARS else f"{words[: EXCERPT_CHARS - 1]}…"
