"""Actions on the network."""

from __future__ import annotations

import base64
import json
import mimetypes
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from playwright.async_api import Error
from playwright.async_api import TimeoutError as RequestTimeoutError

from processors.browser.action_context import ActionContext, Performed, performs
from processors.browser.egress.policy import Denied, TooLarge, Unreachable
from processors.browser.egress.schemes import canonical_url, is_refused
from processors.browser.failures import StepFailedError, first_line, is_closed, network_cause
from processors.browser.launching import TOO_MUCH_DECODED
from processors.browser.responses import HttpResponse, saved_parts, shown_url, verify
from processors.browser.secret_input import refuse_host
from qa_queue.cases.actions import Request
from qa_queue.cases.urls import web_url
from qa_queue.errors import InputError
from qa_queue.models import ErrorKind

_REDIRECTS = (301, 302, 303, 307, 308)
_OF_BODY = ("content-type", "content-length")
_OF_HOST = ("authorization", "cookie", "proxy-authorization")
_CAUSES = (
    ("ECONNREFUSED", "nothing listens there; is the site up?"),
    ("ENOTFOUND", "the host name is not known"),
    ("EAI_AGAIN", "the host name is not known"),
    ("ECONNRESET", "the server broke the connection"),
    ("socket hang up", "the server broke the connection"),
    ("certificate", "its TLS certificate is not trusted"),
    ("EHOSTUNREACH", "the host cannot be reached"),
    ("ENETUNREACH", "the host cannot be reached"),
)


@dataclass(frozen=True, kw_only=True)
class _Sent:
    """A request as it is sent; `content` has at most one kind of body, by the name of Playwright's argument."""

    method: str
    url: str
    headers: dict[str, str]
    content: dict[str, Any]


@performs(Request)
async def request(call: ActionContext[Request]) -> Performed:
    """Send the request, follow its redirects, compare the response and save parts of it."""
    response = await _response(call)
    verify(call.args, response)
    return Performed(saved=saved_parts(call.args, response), result=response.value)


async def _response(call: ActionContext[Request]) -> HttpResponse:
    sent = _first(call)
    for left in range(call.args.redirects, -1, -1):
        response = await _exchange(call, sent)
        location = response.headers.get("location")
        if response.status not in _REDIRECTS or location is None or not call.args.redirects:
            return response
        if left:
            sent = _redirected(sent, response.status, urljoin(sent.url, location))
    raise StepFailedError(
        ErrorKind.NAVIGATION, f"{response.request}: more than {call.args.redirects} redirects, as in a loop"
    )


def _first(call: ActionContext[Request]) -> _Sent:
    args = call.args
    try:
        url = _with_params(web_url(args.url, call.options.base_url), args)
    except InputError as error:
        raise StepFailedError(ErrorKind.INPUT, str(error)) from None
    headers = {name.lower(): value for name, value in args.headers.items()}
    if args.auth is not None:
        pair = f"{args.auth.user}:{args.auth.password}".encode()
        headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    if args.json_body is not None:
        headers.setdefault("content-type", "application/json")
    return _Sent(method=args.method, url=url, headers=headers, content=_content(call))


def _with_params(url: str, args: Request) -> str:
    added = urlencode({name: _text(value) for name, value in args.params.items()})
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, [parts.query, added])), fragment=""))


def _content(call: ActionContext[Request]) -> dict[str, Any]:
    args = call.args
    if args.json_body is not None:
        return {"data": json.dumps(args.json_body).encode()}
    if args.body is not None:
        return {"data": args.body.encode()}
    if args.form:
        return {"form": {name: _text(value) for name, value in args.form.items()}}
    if args.multipart or args.files:
        files = {field: _file(call, name) for field, name in args.files.items()}
        return {"multipart": {name: _text(value) for name, value in args.multipart.items()} | files}
    return {}


def _file(call: ActionContext[Request], name: str) -> dict[str, Any]:
    path = call.case_file(name)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return {"name": path.name, "mimeType": kind, "buffer": path.read_bytes()}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _redirected(sent: _Sent, status: int, url: str) -> _Sent:
    """Return the request that follows a redirect, as a browser sends it; another host does not get the login."""
    headers, content, method = dict(sent.headers), sent.content, sent.method
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, content = "GET", {}
        headers = {name: value for name, value in headers.items() if name not in _OF_BODY}
    if urlsplit(url)[:2] != urlsplit(sent.url)[:2]:
        headers = {name: value for name, value in headers.items() if name not in _OF_HOST}
    return replace(sent, method=method, url=url, headers=headers, content=content)


async def _exchange(call: ActionContext[Request], sent: _Sent) -> HttpResponse:
    """Send one request and read its response, where the run may reach its address."""
    url = _permitted(call, sent)
    try:
        found = await call.page.context.request.fetch(
            url,
            method=sent.method,
            headers={**sent.headers, **(call.state.trace.headers(url) if call.state.trace else {})},
            max_redirects=0,
            timeout=call.left_ms,
            **sent.content,
        )
        body = await found.body()
        await found.dispose()
    except Error as error:
        _check_reached(call, f"{sent.method} {shown_url(url)}", url)
        raise _explained(error, call, f"{sent.method} {shown_url(url)}") from None
    _check_reached(call, f"{sent.method} {shown_url(url)}", url)
    return HttpResponse(method=sent.method, url=found.url, status=found.status, headers=found.headers, body=body)


def _check_reached(call: ActionContext[Request], words: str, url: str) -> None:
    """Fail a request that the proxy refused, or whose response it cut off.

    Raises:
        StepFailedError: with the reason.
    """
    match call.state.egress and call.state.egress.obstacle(url):
        case Denied(to=to, reason=reason):
            raise StepFailedError(ErrorKind.NAVIGATION, f"{words}: the service refuses this address: {to} {reason}")
        case TooLarge(most=most):
            raise _too_large(words, most)
        case Unreachable(code=code):
            raise StepFailedError(ErrorKind.NAVIGATION, f"{words} failed: {network_cause(code)}")


def _too_large(words: str, most: int, how: str = "") -> StepFailedError:
    size = f"larger than {most >> 20} MiB{how}, the most that is read (QA_RUN_RESPONSE_MB)"
    return StepFailedError(ErrorKind.NAVIGATION, f"{words}: the response is {size}")


def _permitted(call: ActionContext[Request], sent: _Sent) -> str:
    """Return the URL in the form in which it is sent.

    Raises:
        StepFailedError: it is not an address of the web, the service refuses it, or a secret may not be sent there.
    """
    url = canonical_url(sent.url)
    if url is None:
        text = f"{sent.method} {sent.url!r} cannot be sent: it is not a URL such as http://shop.example/api"
        raise StepFailedError(ErrorKind.INPUT, text)
    if is_refused(url, call.options.denied):
        raise StepFailedError(
            ErrorKind.NAVIGATION, f"{sent.method} {shown_url(url)}: the service refuses this address"
        )
    refuse_host(call, url)
    return url


def _explained(error: Error, call: ActionContext[Request], words: str) -> Exception:
    text = str(error)
    if is_closed(text):
        return error
    if isinstance(error, RequestTimeoutError):
        return StepFailedError(ErrorKind.TIMEOUT, f"{words}: no response in {call.deadline.timeout_ms} ms")
    if TOO_MUCH_DECODED in text:
        return _too_large(words, call.options.limits.response, " when decompressed")
    cause = next((cause for mark, cause in _CAUSES if mark in text), first_line(text))
    return StepFailedError(ErrorKind.NAVIGATION, f"{words} failed: {cause}")
