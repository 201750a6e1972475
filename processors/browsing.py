"""What processors say to a browser and hear from it: plain values and protocols, without Playwright.

`processors.browser` is the real one; tests of processors may bring a twin of their own.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from qa_queue.cases.model import Step
from qa_queue.models import ErrorKind, Viewport


class TraceContent(StrEnum):
    """What a Playwright trace records: nothing, the DOM after each action, or that and a film of the page."""

    NONE = "none"
    SNAPSHOTS = "snapshots"
    FILM = "film"


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """How a browser context is made. `viewport` None is the device's, else 1280x720.

    `secrets` are the values that must not be seen: fields filled with one of them are shown as dots, and
    screenshots black out text that contains one.
    """

    base_url: str | None = None
    viewport: Viewport | None = None
    device: str | None = None
    test_id_attribute: str = "data-testid"
    headless: bool = True
    trace: TraceContent = TraceContent.NONE
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Match:
    """How one alternative of a target did: elements matched, and whether it was exactly the one used."""

    count: int
    same: bool


@dataclass(frozen=True, kw_only=True)
class Found:
    """Which alternative found the element: 0 is the target itself, 1 its first fallback.

    `matches` has one entry for each alternative, and none for a target without fallbacks.
    """

    index: int = 0
    matches: tuple[Match, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StepOutcome:
    """What a step came to: passed where `error` is None. `picture` is a PNG that the step itself asked for."""

    found: Found | None = None
    error: str | None = None
    kind: ErrorKind | None = None
    picture: bytes | None = None


class BrowserSession(Protocol):
    """One browser context with its page."""

    @property
    def events(self) -> list[dict[str, Any]]:
        """Console messages, page errors and dialogs so far, oldest first, as JSON objects."""

    async def perform(self, step: Step, *, timeout_ms: int) -> StepOutcome:
        """Do one step, its values filled in. Raises BrowserCrashedError; every other failure is an outcome."""

    async def screenshot(self) -> bytes:
        """The page as PNG. Raises EvidenceError where the page cannot be pictured."""

    async def save_trace(self, path: Path) -> None:
        """End the trace and write it to `path` (.zip), secrets still in it. Raises EvidenceError."""


class BrowserPool(Protocol):
    """The warm browser of this process; `processors.browser.host.BrowserHost` is the real one."""

    def session(self, options: SessionOptions) -> AbstractAsyncContextManager[BrowserSession]:
        """A fresh context with a page of its own, closed at the end.

        Raises BrowserMissingError, BrowserCrashedError, or InputError for options that cannot be had.
        """
