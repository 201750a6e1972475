"""Downloads of a context's pages, and the limit of their size."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import Browser, BrowserContext, CDPSession, Error
from playwright.async_api import Download as BrowserDownload

from processors.browser.page_log import PageLog, guarded
from processors.browser.protocol import DownloadedFile
from processors.browser.traffic import Changes

MAX_BYTES = 25_000_000
REMEMBERED = 1_000
END_S = 3.0  # for downloads that have not ended when the case has
_log = logging.getLogger(__name__)


def size_text(size: int) -> str:
    """Return a number of bytes in words, as `1.2 MB`."""
    for unit, bytes_of in (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)):
        if size >= bytes_of:
            return f"{size / bytes_of:.3g} {unit}"
    return "1 byte" if size == 1 else f"{size} bytes"


class DownloadLimit:
    """The most bytes of one download. Chromium cancels a larger one as soon as its size is known or reached.

    Other browsers, and those that run elsewhere, receive it in full before it is refused.
    """

    def __init__(self, most: int = MAX_BYTES) -> None:
        self.most = most
        self._refused: deque[str] = deque(maxlen=REMEMBERED)  # URLs
        self._contexts: dict[str, str] = {}  # of each page
        self._tasks: set[asyncio.Task[Any]] = set()

    async def watch(self, browser: Browser, folder: str) -> None:
        """Limit the downloads of every context of a browser that saves them in this folder."""
        devtools = await browser.new_browser_cdp_session()
        urls: dict[str, str] = {}

        def on_page(event: dict[str, Any]) -> None:
            page = event["targetInfo"]
            context = page.get("browserContextId")
            if context and context not in self._contexts.values():
                self._send(devtools, "Browser.setDownloadBehavior", browserContextId=context, **behaviour)
            self._contexts[page["targetId"]] = context

        def on_closed(event: dict[str, Any]) -> None:
            self._contexts.pop(event["targetId"], None)

        def on_progress(event: dict[str, Any]) -> None:
            if event["state"] != "inProgress":
                urls.pop(event["guid"], None)
            elif self.exceeded(max(event["receivedBytes"], event["totalBytes"])):
                self._refused.append(urls.get(event["guid"], ""))
                for context in {*self._contexts.values()}:
                    self._send(devtools, "Browser.cancelDownload", guid=event["guid"], browserContextId=context)

        behaviour = {"behavior": "allowAndName", "downloadPath": folder, "eventsEnabled": True}
        devtools.on("Target.targetCreated", guarded(on_page))
        devtools.on("Target.targetDestroyed", guarded(on_closed))
        devtools.on("Browser.downloadWillBegin", guarded(lambda event: urls.update({event["guid"]: event["url"]})))
        devtools.on("Browser.downloadProgress", guarded(on_progress))
        await devtools.send("Target.setDiscoverTargets", {"discover": True, "filter": [{"type": "page"}]})

    def exceeded(self, size: int) -> bool:
        """Return True for a size beyond the limit."""
        return size > self.most

    def refused(self, url: str) -> bool:
        """Return True if a download from this URL was cancelled because of its size."""
        return url in self._refused

    @property
    def refusal(self) -> str:
        """The reason for which a download is refused."""
        return f"it is larger than {size_text(self.most)}, the most that is allowed (QA_MAX_DOWNLOAD_MB)"

    def _send(self, devtools: CDPSession, method: str, **params: Any) -> None:
        async def send() -> None:
            with suppress(Error):  # the context, or the download in it, is gone
                await devtools.send(method, params)

        task = asyncio.create_task(send())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@dataclass(kw_only=True, eq=False)
class Downloading:
    """A download from its beginning. `begun_by` is the step in words; `path` its file once it is complete."""

    number: int  # in the context, from 1
    name: str
    url: str
    begun_by: str
    path: Path | None = None
    failure: str | None = None
    awaited: bool = False  # by a step or a check
    saved: bool = False
    refused: bool = False  # because of its size

    @property
    def over(self) -> bool:
        """True once it is complete or has failed."""
        return self.path is not None or self.failure is not None

    @property
    def size(self) -> int:
        """The size of the complete file, in bytes."""
        return self.path.stat().st_size if self.path is not None else 0

    @property
    def file(self) -> DownloadedFile | None:
        """The file, once it is complete."""
        return None if self.path is None else DownloadedFile(number=self.number, name=self.name, path=self.path)

    def __str__(self) -> str:
        state = f"failed: {self.failure}" if self.failure else size_text(self.size) if self.path else "not complete"
        return f"{self.name!r} ({state})"

    @property
    def note(self) -> str:
        """The sentence of the report on a download that no step awaits."""
        began = f"which began at {self.begun_by!r} and no step awaits"
        how = "put that step inside `download: {steps: [...]}` to check it"
        if self.path is not None:
            return f"the download {self.name!r} ({size_text(self.size)}), {began}, was saved: {how}"
        return (
            f"the download {self.name!r}, {began}, was not saved: {self.failure or 'it was not complete in time'}"
        )


@dataclass
class Downloads:
    """The downloads of a context in order of their beginning; at most `most` are kept."""

    context: BrowserContext
    log: PageLog
    limit: DownloadLimit
    most: int
    begun: list[Downloading] = field(default_factory=list)
    _step: str = ""
    _dropped: int = 0
    _changes: Changes = field(default_factory=Changes)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _folder: TemporaryDirectory[str] | None = None  # for files of a browser that runs elsewhere

    def __post_init__(self) -> None:
        self.context.on("download", guarded(self._on_download))

    def begin_step(self, words: str) -> None:
        """Note that a step begins."""
        self._step = words

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until a condition on the downloads holds; False where it does not in time."""
        return await self._changes.until(holds, seconds)

    async def close(self) -> tuple[DownloadedFile, ...]:
        """Return the complete downloads that are not saved yet; those that still run have a moment to end."""
        await self.until(lambda: all(one.over for one in self.begun), END_S)
        files = [one.file for one in self.begun if not one.saved and one.file is not None]
        return tuple(files)

    @property
    def unreported(self) -> tuple[str, ...]:
        """Sentences about the downloads that no step awaited."""
        return tuple(one.note for one in self.begun if not one.awaited and not one.refused)

    @property
    def exceeded(self) -> str | None:
        """The limit that downloads went beyond of which no step has failed."""
        if self._dropped:
            count = len(self.begun) + self._dropped
            return f"the pages began {count} downloads: a try may have {self.most} (QA_RUN_DOWNLOADS)"
        refused = (one for one in self.begun if one.refused and not one.awaited)
        return next(
            (
                f"the download {one.name!r}, which began at {one.begun_by!r}, failed: {one.failure}"
                for one in refused
            ),
            None,
        )

    def _on_download(self, download: BrowserDownload) -> None:
        self.log.add("download", f"{download.suggested_filename} from {download.url}", download.page)
        if len(self.begun) >= self.most:
            self._dropped += 1
            self._start(_cancel(download))
            return
        one = Downloading(
            number=len(self.begun) + 1,
            name=download.suggested_filename,
            url=download.url,
            begun_by=self._step,
        )
        self.begun.append(one)
        self._changes.note()
        self._start(self._follow(one, download))

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, one: Downloading, download: BrowserDownload) -> None:
        try:
            failure = await download.failure()
            if failure is None:
                path = await self._file(one, download)
                one.refused = self.limit.exceeded(path.stat().st_size)
                one.path = None if one.refused else path
            else:
                one.refused = self.limit.refused(one.url)
            failure = self.limit.refusal if one.refused else failure
        except (Error, OSError) as error:
            failure = str(error).partition("\n")[0]
        one.failure = failure
        self._changes.note()

    async def _file(self, one: Downloading, download: BrowserDownload) -> Path:
        try:
            return Path(await download.path())
        except Error as error:
            if "remotely" not in str(error):
                raise
        self._folder = self._folder or TemporaryDirectory(prefix="qa-downloads-", ignore_cleanup_errors=True)
        path = Path(self._folder.name, str(one.number))
        await download.save_as(path)
        return path


async def _cancel(download: BrowserDownload) -> None:
    with suppress(Error):
        await download.cancel()
