"""The interface between processors and browsers: plain values and protocols, without Playwright.

`processors.browser` is the real one; tests of processors may bring a twin of their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol

from processors.browser.egress.policy import Layer
from processors.healing.decision import HealAccepted, HealRefused
from processors.healing.fingerprint import Fingerprint
from qa_queue.cases.environment import Use
from qa_queue.cases.hosts import HostList
from qa_queue.cases.model import Step, Target
from qa_queue.models import ErrorKind, Viewport

HAR_NAME = "network.har"
KeepState = Callable[[str, dict[str, Any], int | None], Awaitable[str]]
"""Keeps a state under a name for a time in ms, and returns a sentence about it; raises InputError."""


class TraceContent(StrEnum):
    """The content of a Playwright trace: nothing, the calls, these with DOM snapshots, or with a film as well."""

    NONE = "none"
    CALLS = "calls"
    SNAPSHOTS = "snapshots"
    FILM = "film"


@dataclass(frozen=True, kw_only=True)
class SessionLimits:
    """The most that the pages of a session may receive, in bytes, and the tabs, dialogs and downloads of its pages.

    `response` is the size of the response to a `request` step, `elements` the number of them in one document.
    """

    received: int = 2 << 30
    response: int = 100 << 20
    pages: int = 100
    dialogs: int = 500
    downloads: int = 20
    elements: int = 300_000


@dataclass(frozen=True, kw_only=True)
class NetworkUse:
    """The traffic of a session in bytes, with the number of its requests; a tunnel counts as one.

    `cached` came from the cache of static files, not from the network.
    """

    requests: int = 0
    received: int = 0
    sent: int = 0
    cached: int = 0

    def __add__(self, other: NetworkUse) -> NetworkUse:
        return NetworkUse(
            requests=self.requests + other.requests,
            received=self.received + other.received,
            sent=self.sent + other.sent,
            cached=self.cached + other.cached,
        )


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """The options of a browser context. `viewport` counts, not that of `use`; None is the device's, else 1280x720.

    `secrets` are the values that must not be seen: fields filled with one of them are shown as dots, and
    screenshots black out text that contains one. `ignored_attributes` are left out of fingerprints and locators.
    `secret_hosts` has the hosts on which each secret may be used, by name; a secret without hosts is used nowhere.
    `upload_root` is the folder that holds every file that the session may upload; without it, there are none.
    `denied` has URL patterns that no request of the run may match; the pool sets it where no proxy decides.
    `network` has the lists of hosts that narrow the operator's; the pool sets `limits`. Requests to the site carry
    the `trace_id`.
    `dialogs` is the answer to those that no step answers; None dismisses them and notes it.
    `baselines` has those of screenshots (PNGs) by file name; with `update_screenshots` they are renewed.
    With `records_traffic` steps can wait for requests and responses of pages and check them.
    `state` has the cookies and storage to begin with, as `BrowserSession.state` returns them; `keep_state` keeps
    those of a `save_state` step, which fails without it.
    In the folder `recordings` videos of the pages (`records_video`) and a HAR file (`records_har`) are recorded.
    """

    base_url: str | None = None
    viewport: Viewport | None = None
    use: Use = field(default_factory=Use)
    headless: bool = True
    trace: TraceContent = TraceContent.NONE
    secrets: tuple[str, ...] = ()
    ignored_attributes: tuple[str, ...] = ()
    upload_root: Path | None = None
    secret_hosts: Mapping[str, HostList] = field(default_factory=dict)
    denied: tuple[str, ...] = ()
    network: tuple[Layer, ...] = ()
    trace_id: str | None = None
    limits: SessionLimits = SessionLimits()
    records_traffic: bool = False
    recordings: Path | None = None
    records_video: bool = False
    records_har: bool = False
    dialogs: Literal["accept", "dismiss"] | None = None
    baselines: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    update_screenshots: bool = False
    state: Mapping[str, Any] | None = field(default=None, repr=False)
    keep_state: KeepState | None = field(default=None, repr=False)

    @property
    def test_id_attribute(self) -> str:
        """The attribute that `test_id` looks at."""
        return self.use.test_id_attribute


@dataclass(frozen=True, kw_only=True)
class Match:
    """The matches of one alternative of a target; `same` if it was exactly the element used."""

    count: int
    same: bool


@dataclass(frozen=True, kw_only=True)
class Found:
    """The alternative that found the element: 0 is the target itself, 1 its first fallback.

    `matches` has one entry for each alternative, and none for a target without fallbacks. A `learned` locator that
    was tried too counts as the last alternative.
    """

    index: int = 0
    matches: tuple[Match, ...] = ()
    learned: Target | None = None

    @property
    def by_learned(self) -> bool:
        """True if the learned locator found the element, not one of the case."""
        return self.learned is not None and self.index == len(self.matches) - 1


@dataclass(frozen=True, kw_only=True)
class ElementHints:
    """The history of a step's element, from earlier runs.

    `old` is what it looked like, `others` what the other elements of its page did. `learned` is a locator that has
    earned to be tried first, `accepted` when somebody accepted it. `rejected` has the digests of locators that were
    refused for this step. With `take` the step's fingerprint is wanted, with `pictures` those of a heal.
    """

    mode: Literal["off", "suggest", "auto"] = "off"
    old: Fingerprint | None = None
    others: tuple[Fingerprint, ...] = ()
    learned: Target | None = None
    accepted: bool = False
    rejected: frozenset[str] = frozenset()
    take: bool = False
    pictures: bool = True


@dataclass(frozen=True, kw_only=True)
class Heal:
    """Another element than the target's words find was taken for the step's, or, if not `performed`, proposed.

    `runner_up` is the best candidate beside it; the pictures are PNGs with the element marked.
    """

    target: Target
    performed: bool
    decision: HealAccepted | HealRefused
    old: Fingerprint
    new: Fingerprint
    runner_up: Fingerprint | None = None
    before: bytes | None = None
    after: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class DownloadedFile:
    """A complete download: its number in the session, from 1, its name and its file, which the session removes."""

    number: int
    name: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class StepOutcome:
    """The outcome of a step: passed if `error` is None. `picture` is a PNG that the step itself asked for.

    `saved` has values (JSON) for the run's variables by name, `notes` are sentences for the report, `files` are
    downloads and `pictures` PNGs by name to be kept; names of new baselines begin with `BASELINE`.

    `fingerprint` is that of the step's element, where it was wanted, and `page` the path of the page it was on.
    """

    found: Found | None = None
    error: str | None = None
    kind: ErrorKind | None = None
    picture: bytes | None = None
    saved: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: tuple[DownloadedFile, ...] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    adapted: bool = False
    fingerprint: Fingerprint | None = None
    page: str = ""
    heal: Heal | None = None


NO_HINTS = ElementHints()
Finish = Callable[[Any], Awaitable[Any]]  # ends a step that other steps run within; it takes an ActionContext


class BrowserSession(Protocol):
    """One browser context with its page."""

    @property
    def exceeded(self) -> str | None:
        """The limit that its pages went beyond, in words; None while they are within all."""

    @property
    def unreported(self) -> tuple[str, ...]:
        """Sentences about what happened since the last step, or did not happen in any."""

    @property
    def events(self) -> list[dict[str, Any]]:
        """Console messages, page errors and dialogs so far, oldest first, as JSON objects."""

    @property
    def network_use(self) -> NetworkUse | None:
        """The traffic of the session so far; None where no proxy counts it."""

    def stop(self, reason: str) -> None:
        """End the session because of a limit; its next step fails with this reason."""

    async def perform(
        self,
        step: Step,
        *,
        timeout_ms: int,
        hints: ElementHints = NO_HINTS,
        secrets: frozenset[str] = frozenset(),
        finish: Finish | None = None,
    ) -> StepOutcome:
        """Do one step, its values filled in; `secrets` are the names of those in its arguments.

        A step that other steps ran within takes the `finish` of its `around`. Raises BrowserCrashedError; every
        other failure is an outcome.
        """

    async def look(self, step: Step, *, timeout_ms: int) -> StepOutcome:
        """Make the check of a condition: dialogs and traffic are left to the step before it.

        Raises BrowserCrashedError.
        """

    def around(self, step: Step) -> AbstractAsyncContextManager[Finish]:
        """Begin a step that other steps run within, such as a download; `perform` it before the context ends."""

    async def downloads(self) -> tuple[DownloadedFile, ...]:
        """The complete downloads that no step has returned; those that still run have a moment to end."""

    async def state(self) -> dict[str, Any]:
        """Return the cookies and the storage of every site, a JSON object. Raises BrowserCrashedError."""

    async def screenshot(self) -> bytes:
        """The page as PNG. Raises EvidenceError where the page cannot be pictured."""

    async def snapshot(self) -> str:
        """The page as an aria snapshot, secrets still in it. Raises EvidenceError."""

    async def save_trace(self, path: Path) -> None:
        """End the trace and write it to `path` (.zip), secrets still in it. Raises EvidenceError."""

    async def save_har(self) -> Path:
        """End the HAR file and return its path, secrets still in it. Raises EvidenceError."""

    async def save_videos(self) -> list[Path]:
        """Close the pages and return the paths of their videos. Raises EvidenceError."""


class BrowserPool(Protocol):
    """The warm browser of this process; `processors.browser.pool.WarmBrowserPool` is the real one."""

    def session(self, options: SessionOptions) -> AbstractAsyncContextManager[BrowserSession]:
        """A fresh context with a page of its own, closed at the end.

        Raises BrowserMissingError, BrowserCrashedError, or InputError for options that cannot be had.
        """
