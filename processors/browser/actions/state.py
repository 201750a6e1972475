"""Actions on the browser's state: cookies, storage, headers, permissions, place, clock and network."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import Any

from playwright.async_api import Error, Geolocation

from processors.browser.action_context import ActionContext, Performed, performs
from processors.browser.failures import StepFailedError, first_line, is_closed, is_crash
from qa_queue.cases.actions import (
    Clock,
    Cookies,
    Headers,
    LocalStorage,
    Offline,
    Permissions,
    SaveState,
    SessionStorage,
    SetGeolocation,
)
from qa_queue.cases.actions.state import Cookie, WebStorage
from qa_queue.cases.environment import parse_time
from qa_queue.cases.urls import web_url
from qa_queue.errors import InputError, QAError
from qa_queue.models import ErrorKind
from qa_queue.models.outcomes import failure_of

_CHANGE_STORAGE = """([storage, added, removed, clear]) => {
  const items = window[storage];
  if (clear) items.clear();
  for (const key of removed) items.removeItem(key);
  for (const [key, value] of Object.entries(added)) items.setItem(key, value);
}"""
_CAUSES = (
    ("Invalid cookie fields", "the browser refuses the cookie: its domain, path or prefix does not fit"),
    ("Access is denied", "the page has no storage: open a page of the site first"),
    ("exceeded the quota", "the storage of the site is full"),
    ("to the past", "the clock cannot go back"),
    ("Unknown permission", "this browser does not know the permission"),
)


@performs(Cookies)
async def cookies(call: ActionContext[Cookies]) -> None:
    """Set or delete cookies of the context."""
    args, context = call.args, call.page.context
    if args.added is not None:
        await _done(call, context.add_cookies([_cookie(call, cookie) for cookie in args.added]))
    elif args.delete is not None:
        for name in args.delete:
            await context.clear_cookies(name=name)
    else:
        await context.clear_cookies()


def _cookie(call: ActionContext[Cookies], cookie: Cookie) -> Any:
    """Return a cookie as Playwright takes it."""
    made: dict[str, Any] = {"name": cookie.name, "value": cookie.value}
    made |= {"httpOnly": cookie.http_only, "secure": cookie.secure}
    if cookie.domain is not None:
        made["domain"], made["path"] = cookie.domain, cookie.path or "/"
    else:
        made["url"] = _url(call, cookie.url)
    if cookie.expires_ms is not None:
        made["expires"] = time.time() + cookie.expires_ms / 1000
    if cookie.same_site is not None:
        made["sameSite"] = cookie.same_site
    return made


def _url(call: ActionContext[Any], url: str | None) -> str:
    """Return a URL of a case, or the one of its site: that of the page, else the base URL."""
    if url is None and call.page.url.startswith("http"):
        return call.page.url
    try:
        return web_url(url or call.options.base_url or "", call.options.base_url)
    except InputError:
        raise StepFailedError(
            ErrorKind.INPUT, "no site is open: open a page first, or give the cookie a `url` or `domain`"
        ) from None


@performs(LocalStorage)
async def local_storage(call: ActionContext[LocalStorage]) -> None:
    """Change the local storage of the page's site."""
    await _change_storage(call, "localStorage")


@performs(SessionStorage)
async def session_storage(call: ActionContext[SessionStorage]) -> None:
    """Change the session storage of the page."""
    await _change_storage(call, "sessionStorage")


async def _change_storage(call: ActionContext[Any], storage: str) -> None:
    args: WebStorage = call.args
    change = [storage, args.added or {}, list(args.remove or ()), bool(args.clear)]
    await _done(call, call.page.evaluate(_CHANGE_STORAGE, change))


@performs(Headers)
async def headers(call: ActionContext[Headers]) -> None:
    """Replace the headers that every request of the context has."""
    await _done(call, call.page.context.set_extra_http_headers(dict(call.args.headers)))


@performs(Permissions)
async def permissions(call: ActionContext[Permissions]) -> None:
    """Grant permissions, or take all of them back."""
    args, context = call.args, call.page.context
    if args.grant is None:
        await context.clear_permissions()
    else:
        origin = None if args.origin is None else _url(call, args.origin)
        await _done(call, context.grant_permissions(list(args.grant), origin=origin))


@performs(SetGeolocation)
async def geolocation(call: ActionContext[SetGeolocation]) -> None:
    """Set the place that the browser reports."""
    args = call.args
    place = Geolocation(latitude=args.latitude, longitude=args.longitude, accuracy=args.accuracy)
    await call.page.context.set_geolocation(place)


@performs(Clock)
async def clock(call: ActionContext[Clock]) -> None:
    """Control the time of the context's pages."""
    args, controlled, zone = call.args, call.page.context.clock, call.options.use.time_zone
    match args:
        case Clock(install=str(moment)):
            work = controlled.install(time=parse_time(moment, zone))
        case Clock(set_fixed_time=str(moment)):
            work = controlled.set_fixed_time(parse_time(moment, zone))
        case Clock(set_system_time=str(moment)):
            work = controlled.set_system_time(parse_time(moment, zone))
        case Clock(pause_at=str(moment)):
            work = controlled.pause_at(parse_time(moment, zone))
        case Clock(fast_forward=int(span)):
            work = controlled.fast_forward(span)
        case Clock(run_for=int(span)):
            work = controlled.run_for(span)
        case _:
            work = controlled.resume()
    await _done(call, work)


@performs(Offline)
async def offline(call: ActionContext[Offline]) -> None:
    """Cut every page off from the network, or connect it again."""
    await call.page.context.set_offline(call.args.value)


@performs(SaveState)
async def save_state(call: ActionContext[SaveState]) -> Performed:
    """Keep the cookies and storage of the context for later runs."""
    keep = call.options.keep_state
    if keep is None:
        raise StepFailedError(ErrorKind.INPUT, f"{call.args.sentence()}: states are not kept here")
    state = dict(await call.page.context.storage_state(indexed_db=True))
    try:
        return Performed(notes=(await keep(call.args.name, state, call.args.expires_ms),))
    except QAError as error:
        raise StepFailedError(
            failure_of(error).error_kind or ErrorKind.INPUT, f"{call.args.sentence()}: {error}"
        ) from None


async def _done(call: ActionContext[Any], work: Awaitable[Any]) -> None:
    """Wait for a change of the browser's state.

    Raises:
        StepFailedError: the browser refuses it.
    """
    try:
        await work
    except Error as error:
        text = str(error)
        if is_closed(text) or is_crash(text):
            raise
        cause = next((words for mark, words in _CAUSES if mark in text), first_line(text))
        raise StepFailedError(ErrorKind.INPUT, f"{call.args.sentence()}: {cause}") from None
