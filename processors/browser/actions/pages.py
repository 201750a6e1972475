"""Actions on the pages of the browser: tabs and windows, dialogs and downloads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from playwright.async_api import Page

from processors.browser.action_context import ActionContext, Performed, Performer, performs, surrounds
from processors.browser.actions.navigation import open_url
from processors.browser.checks.events import received, text_of
from processors.browser.pages import Choice, OpenPages, title_of
from qa_queue.cases.actions import AnswerDialog, ClosePage, Download, NewPage, SwitchPage
from qa_queue.cases.patterns import Regex, holds
from qa_queue.cases.traffic import UrlPattern, fits_url


@performs(NewPage)
async def new_page(call: ActionContext[NewPage]) -> None:
    """Open a page, and a URL in it."""
    page = await call.state.pages.open()
    if call.args.url is not None:
        await open_url(call, page, call.args.url)


@performs(SwitchPage)
async def switch_page(call: ActionContext[SwitchPage]) -> None:
    """Make another page the current one, as soon as it is there."""
    choice = _choice(call.args, call.state.pages, call.options.base_url)
    call.state.pages.use(await call.state.pages.wait_for(choice, call.deadline, call.args.wanted))


def _choice(args: SwitchPage, pages: OpenPages, base_url: str | None) -> Choice:
    if args.title is not None:
        return partial(_with_title, args.title)
    if args.url is not None:
        return partial(_with_url, args.url, base_url)
    return pages.newest if args.index is None else partial(_at, args.index)


async def _with_title(title: str | Regex, pages: list[Page]) -> list[Page]:
    titles = await asyncio.gather(*map(title_of, pages))
    return [page for page, found in zip(pages, titles, strict=True) if holds(title, found)]


async def _with_url(pattern: UrlPattern, base_url: str | None, pages: list[Page]) -> list[Page]:
    return [page for page in pages if fits_url(pattern, page.url, base_url)]


async def _at(index: int, pages: list[Page]) -> list[Page]:
    return [pages[index]] if -len(pages) <= index < len(pages) else []


@performs(ClosePage)
async def close_page(call: ActionContext[ClosePage]) -> None:
    """Close the current page; the one used before it is the current one then."""
    await call.page.close()


@performs(AnswerDialog)
async def answer_dialog(call: ActionContext[AnswerDialog]) -> None:
    """Prepare the answer to the next dialog."""
    call.state.dialogs.prepare(call.args)


@surrounds(Download)
@asynccontextmanager
async def download(call: ActionContext[Download]) -> AsyncIterator[Performer[Download]]:
    """Remember which downloads there were before the steps."""
    yield partial(_receive, len(call.state.downloads.begun))


async def _receive(first: int, call: ActionContext[Download]) -> Performed:
    """Wait for a download after the first ones, and check it."""
    found = await received(call, call.args, first, call.args.wanted)
    file = found.file
    assert file is not None
    found.saved = True
    data = file.path.read_bytes()
    result = {"name": file.name, "size": len(data), "url": found.url, "text": text_of(data)}
    return Performed(files=(file,), result=result)
