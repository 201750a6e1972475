"""Checks of downloads and dialogs."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from typing import Any

from processors.browser.action_context import ActionContext, checks
from processors.browser.dialogs import AnsweredDialog
from processors.browser.downloads import Downloading, size_text
from processors.browser.failures import StepFailedError
from qa_queue.cases.checks import (
    DialogPattern,
    FileContent,
    FilePattern,
    ToHaveDialog,
    ToHaveDownload,
    ValueCheck,
)
from qa_queue.cases.checks.events import SizeRange
from qa_queue.cases.patterns import Regex
from qa_queue.cases.patterns import holds as text_holds
from qa_queue.models import ErrorKind

LISTED = 3
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@checks(ToHaveDialog)
async def dialog(call: ActionContext[Any], check: ToHaveDialog) -> None:
    """A dialog since the case began."""
    dialogs = call.state.dialogs

    def holds() -> bool:
        return any(_fits(check.dialog, one) for one in dialogs.seen) is not check.negate

    if not await dialogs.until(holds, call.left_ms / 1000):
        seen = ", ".join(map(str, dialogs.seen[-LISTED:]))
        found = f"there were: {seen}" if seen else "no dialog appeared"
        text = f"expected {check.expectation()} in {call.deadline.timeout_ms} ms; {found}"
        raise StepFailedError(ErrorKind.ASSERTION, text)


def _fits(pattern: DialogPattern, one: AnsweredDialog) -> bool:
    if pattern.kind not in (None, one.kind) or pattern.answer not in (
        None,
        "accept" if one.accepted else "dismiss",
    ):
        return False
    return pattern.message is None or text_holds(pattern.message, one.message)


@checks(ToHaveDownload)
async def download(call: ActionContext[Any], check: ToHaveDownload) -> None:
    """A download since the case began."""
    if not check.negate:
        await received(call, check.download, 0, check.expectation())
        return
    fitting = [one for one in call.state.downloads.begun if not _faults(check.download, one)]
    for one in fitting:
        one.awaited = True
        text = f"expected {check.expectation()}, found {one}"
        raise StepFailedError(ErrorKind.ASSERTION, text)


async def received(call: ActionContext[Any], pattern: FilePattern, first: int, expected: str) -> Downloading:
    """Return the first download from this one on that has the wanted name, once it is complete.

    Raises:
        StepFailedError: it does not begin or end in time, fails, or differs from the pattern.
    """
    downloads = call.state.downloads

    def named() -> list[Downloading]:
        return [one for one in downloads.begun[first:] if has_name(pattern, one.name)]

    def complete() -> bool:
        found = named()
        return bool(found) and found[0].over

    in_time = await downloads.until(complete, call.left_ms / 1000)
    found = named()
    if not found:
        others = _listed(downloads.begun[first:])
        text = f"expected {expected} in {call.deadline.timeout_ms} ms; {others}"
        raise StepFailedError(ErrorKind.ASSERTION, text)
    one = found[0]
    one.awaited = True
    if not in_time:
        text = f"the download {one.name!r} was not complete in {call.deadline.timeout_ms} ms"
        raise StepFailedError(ErrorKind.TIMEOUT, text)
    if one.failure is not None:
        raise StepFailedError(ErrorKind.ASSERTION, f"the download {one.name!r} failed: {one.failure}")
    if faults := _faults(pattern, one):
        raise StepFailedError(ErrorKind.ASSERTION, f"the download {one.name!r}: {'; '.join(faults)}")
    return one


def has_name(pattern: FilePattern, name: str) -> bool:
    """Return True where a pattern allows a name."""
    match pattern.name:
        case None:
            return True
        case Regex() as expression:
            return expression.found_in(name)
    return name == pattern.name


def _listed(others: Sequence[Downloading]) -> str:
    if not others:
        return "no download began"
    more = f", and {len(others) - LISTED} more" if len(others) > LISTED else ""
    return f"there were: {', '.join(map(str, others[:LISTED]))}{more}"


def _faults(pattern: FilePattern, one: Downloading) -> list[str]:
    """Return how a complete download differs from the expected one."""
    if one.path is None or not has_name(pattern, one.name):
        return ["it is not the one"]
    faults = [_size_fault(pattern, one.size)]
    if pattern.content is not None:
        faults += content_faults(pattern.content, one.path.read_bytes())
    return [fault for fault in faults if fault]


def _size_fault(pattern: FilePattern, size: int) -> str | None:
    match pattern.size:
        case None:
            return None
        case SizeRange() as limits:
            return None if limits.allows(size) else f"expected a size of {limits} bytes, found {size} bytes"
    return None if size == pattern.size else f"expected {pattern.size} bytes, found {size} bytes"


def content_faults(wanted: FileContent, data: bytes) -> list[str | None]:
    """Return how the content of a file differs from what is expected."""
    text = text_of(data)
    if text is None:
        return [f"expected text, found {size_text(len(data))} of other data: check its `size`"]
    parts: list[ValueCheck] = [ValueCheck(value=text, contains=part) for part in wanted.contains or ()]
    if wanted.equals is not None:
        parts.append(ValueCheck(value=text, equals=wanted.equals.replace("\r\n", "\n")))
    if wanted.matches is not None:
        parts.append(ValueCheck(value=text, matches=wanted.matches))
    if wanted.json_parts is not None:
        parts.append(ValueCheck(value=text, json_parts=wanted.json_parts))
    return [part.fault() for part in parts]


def text_of(data: bytes) -> str | None:
    """Return the text of a file, with LF at the end of lines; None for other data."""
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if re.search(rb"[\x00-\x08\x0e-\x1f]", data):
            return None
        text = data.decode("cp1252", "replace")
    return None if "\x00" in text else text.replace("\r\n", "\n")
