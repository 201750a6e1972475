"""Actions on variables: setting them, and reading them from the page."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from playwright.async_api import Error
from playwright.async_api import TimeoutError as WaitTimeoutError

from processors.browser.action_context import ActionContext, Performed, performs
from processors.browser.failures import StepFailedError, is_closed, is_crash
from qa_queue.cases.actions import Evaluate, Extract, SetVariables
from qa_queue.cases.json_path import NotInDocumentError, value_at
from qa_queue.cases.patterns import search
from qa_queue.cases.values import text_of
from qa_queue.errors import InputError
from qa_queue.errors.validation import did_you_mean, kind_text
from qa_queue.models import ErrorKind

EXCERPT_CHARS = 200
_ATTRIBUTES = "element => element.getAttributeNames()"
_EVERY = {
    "text": "elements => elements.map(element => element.textContent)",
    "value": "elements => elements.map(element => element.value ?? null)",
    "attribute": "(elements, name) => elements.map(element => element.getAttribute(name))",
}
_ITEM = "([area, key]) => ({value: window[area].getItem(key), keys: Object.keys(window[area])})"
_AREAS = {"local_storage": "localStorage", "session_storage": "sessionStorage"}


@performs(SetVariables)
async def set_variables(call: ActionContext[SetVariables]) -> Performed:
    """Give variables their values, which are filled in by now."""
    return Performed(saved=call.args.values)


@performs(Evaluate)
async def evaluate(call: ActionContext[Evaluate]) -> Performed:
    """Run a script in the page and return its result, which has to be JSON."""
    args = call.args
    try:
        if call.locator is not None:
            return Performed(result=await call.locator.evaluate(args.script, args.argument, timeout=call.left_ms))
        return Performed(result=await call.page.evaluate(args.script, args.argument))
    except Error as error:
        text = str(error)
        if is_closed(text) or is_crash(text) or isinstance(error, WaitTimeoutError):
            raise
        raise StepFailedError(ErrorKind.ASSERTION, f"the script failed: {script_error(text)}") from None


def script_error(text: str) -> str:
    """Return the first line of a script's error, as `TypeError: x is not a function`."""
    first = text.partition("\n")[0]
    return re.sub(r"^(Page|Locator|Frame)\.evaluate: ", "", first)


@performs(Extract)
async def extract(call: ActionContext[Extract]) -> Performed:
    """Read a value and take the wanted part of it."""
    args = call.args
    value = await _read(call)
    try:
        value = _parts(args, value) if args.every else _part(args, value)
    except InputError as error:
        raise StepFailedError(ErrorKind.ASSERTION, f"{args.sentence()}: {error}") from None
    return Performed(saved={args.variable: value}) if args.variable else Performed(result=value)


async def _read(call: ActionContext[Extract]) -> Any:
    args = call.args
    if args.every:
        found = await call.element.evaluate_all(_EVERY[args.what], args.attribute)
        return [_folded(one) if args.what == "text" and one is not None else one for one in found]
    return await _READERS[args.what](call)


async def _text(call: ActionContext[Extract]) -> str:
    return _folded(await call.element.text_content(timeout=call.left_ms) or "")


async def _value(call: ActionContext[Extract]) -> str:
    return await call.element.input_value(timeout=call.left_ms)


async def _attribute(call: ActionContext[Extract]) -> str:
    name = call.args.attribute or ""
    value = await call.element.get_attribute(name, timeout=call.left_ms)
    if value is None:
        names = await call.element.evaluate(_ATTRIBUTES, timeout=call.left_ms)
        raise _absent(f"{call.subject} has no attribute", name, names)
    return value


async def _count(call: ActionContext[Extract]) -> int:
    return await call.element.count()


async def _url(call: ActionContext[Extract]) -> str:
    return call.page.url


async def _title(call: ActionContext[Extract]) -> str:
    return await call.page.title()


async def _cookie(call: ActionContext[Extract]) -> str:
    name = call.args.cookie or ""
    cookies = {one["name"]: one["value"] for one in await call.page.context.cookies(call.page.url)}
    if name not in cookies:
        raise _absent(f"{call.page.url} has no cookie", name, cookies)
    return cookies[name]


async def _stored(call: ActionContext[Extract]) -> str:
    key = call.args.local_storage or call.args.session_storage or ""
    found = await call.page.evaluate(_ITEM, [_AREAS[call.args.what], key])
    if found["value"] is None:
        raise _absent(f"the {call.args.what.replace('_', ' ')} of {call.page.url} has no", key, found["keys"])
    return str(found["value"])


async def _given(call: ActionContext[Extract]) -> Any:
    return call.args.source


_READERS: dict[str, Callable[[ActionContext[Extract]], Awaitable[Any]]] = {
    "text": _text,
    "value": _value,
    "attribute": _attribute,
    "count": _count,
    "url": _url,
    "title": _title,
    "cookie": _cookie,
    "local_storage": _stored,
    "session_storage": _stored,
    "from": _given,
}


def _parts(args: Extract, values: list[Any]) -> list[Any]:
    return [_part(args, value) for value in values]


def _part(args: Extract, value: Any) -> Any:
    """Return the part of a value at the JSON path, and of its text what the pattern matches.

    Raises:
        InputError: there is no such part.
    """
    if args.json_path is not None:
        value = _at(args.json_path, _parsed(value))
    return value if args.match is None else _matched(args.match, text_of(value))


def _at(path: str, document: Any) -> Any:
    try:
        return value_at(path, document)
    except ValueError as error:
        raise StepFailedError(ErrorKind.INPUT, str(error)) from None
    except NotInDocumentError:
        raise InputError(f"{path} is not in {_excerpt(text_of(document))}") from None


def _parsed(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise InputError(f"expected JSON, found {kind_text(value)}") from None


def _matched(pattern: str, text: str) -> str:
    found = search(pattern, text)
    if found is None:
        raise InputError(f"expected text that matches /{pattern}/, found {kind_text(text)}")
    return (found[1] if found.re.groups else found[0]) or ""


def _absent(what: str, name: str, known: Any) -> StepFailedError:
    names = list(known)
    hint = did_you_mean(name, names) if names else "; there are none"
    return StepFailedError(ErrorKind.ASSERTION, f"{what} {name!r}{hint}")


def _excerpt(text: str) -> str:
    return text if len(text) <= EXCERPT_CHARS else f"{text[: EXCERPT_CHARS - 1]}…"


def _folded(text: str) -> str:
    return " ".join(text.split())
