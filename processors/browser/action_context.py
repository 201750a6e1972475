"""The context that an action or check works in, and the registries of the coroutines that perform them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from playwright.async_api import Locator, Page

from processors.browser.dialogs import DialogHandler
from processors.browser.downloads import Downloads
from processors.browser.egress.proxy import EgressProxy
from processors.browser.element_finder import Deadline
from processors.browser.failures import StepFailedError
from processors.browser.interception import Interception
from processors.browser.page_log import PageLog
from processors.browser.pages import OpenPages
from processors.browser.protocol import DownloadedFile, SessionOptions
from processors.browser.trace_context import TraceContext
from processors.browser.traffic import Traffic
from qa_queue.cases.checks import Check
from qa_queue.cases.data_files import is_open_to_cases, real_path
from qa_queue.cases.steps import Action
from qa_queue.models import ErrorKind

A = TypeVar("A", bound=Action)
C = TypeVar("C", bound=Check)


@dataclass(frozen=True, kw_only=True)
class SessionState:
    """The parts of a session that outlast a step."""

    log: PageLog
    pages: OpenPages
    dialogs: DialogHandler
    downloads: Downloads
    traffic: Traffic
    interception: Interception
    egress: EgressProxy | None = None
    trace: TraceContext | None = None

    def explain(self, error: str, url: str) -> str:
        """Return the browser's error on a URL with the reason that the proxy knows, if there is one."""
        return error if self.egress is None else self.egress.explain(error, url)


@dataclass(frozen=True, kw_only=True)
class ActionContext(Generic[A]):
    """One step on its way to the page. `subject` names the element in messages; `locator` finds it.

    `page` is the one that was current when the step began.
    """

    page: Page
    state: SessionState
    args: A
    options: SessionOptions
    deadline: Deadline
    subject: str
    locator: Locator | None = None
    secrets: frozenset[str] = frozenset()  # names of those in its arguments

    @property
    def element(self) -> Locator:
        """The element of a step that needs one."""
        if self.locator is None:
            raise StepFailedError(ErrorKind.INPUT, "this step needs a target")
        return self.locator

    @property
    def left_ms(self) -> float:
        """The time that is left for this step, in ms."""
        return self.deadline.left_ms

    @property
    def masks(self) -> list[Locator]:
        """The elements that a picture has to black out."""
        return masks(self.page, self.options.secrets)

    def case_file(self, name: str, verb: str = "upload") -> Path:
        """Return a file of the case's folder to do something with, symbolic links followed.

        Raises:
            StepFailedError: the case has no folder, or no such file in it that can be read.
        """
        root = self.options.upload_root
        if root is None:
            raise _no_file(f"cannot {verb} {name!r}: this case has no folder with files; run it from its file")
        folder = root.resolve()
        try:
            file = real_path(folder / name)
        except ValueError as error:
            raise _no_file(f"cannot {verb} a file: {error}") from None
        if not is_open_to_cases(file, folder):
            raise _no_file(
                f"cannot {verb} {name!r}: only files in the folder of the case, {folder}, that are not hidden"
            )
        if not file.is_file() or not os.access(file, os.R_OK):
            raise _no_file(f"the file to {verb} cannot be read: {name} (looked for at {file})")
        return file

    def contains_secret(self, value: str) -> bool:
        """Tell whether a value contains one of the run's secrets."""
        return any(secret in value for secret in self.options.secrets if secret)


def _no_file(text: str) -> StepFailedError:
    return StepFailedError(ErrorKind.INPUT, text)


def masks(page: Page, secrets: tuple[str, ...]) -> list[Locator]:
    """Return everything on the page, in its frames too, whose text shows a secret."""
    return [frame.get_by_text(secret) for frame in page.frames for secret in secrets if secret]


@dataclass(frozen=True, kw_only=True)
class Performed:
    """The results of an action.

    `picture` is a PNG, `saved` has values (JSON) for variables by name, and `result` is the value for the variable
    that the step's `save_as` names. `notes` are sentences for the report, `files` downloads and `pictures`
    (PNGs by name) to be kept. `adapted`
    says that the action was done in another way than written, which a note explains.
    """

    picture: bytes | None = None
    result: Any = None
    saved: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: tuple[DownloadedFile, ...] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    adapted: bool = False

    @classmethod
    def adapted_by(cls, note: str | None) -> Performed:
        """Return the results of an action that reached its element in another way, as the note says."""
        return cls(notes=(note,), adapted=True) if note else cls()


Performer = Callable[[ActionContext[A]], Awaitable[Performed | None]]
Surrounder = Callable[[ActionContext[A]], AbstractAsyncContextManager[Performer[A]]]
Checker = Callable[[ActionContext[Any], C], Awaitable[Performed | None]]
PERFORMERS: dict[type[Action], Performer[Any]] = {}
"""The coroutine of each action."""
SURROUNDERS: dict[type[Action], Surrounder[Any]] = {}
"""The context manager of each action that goes on while its steps run."""
CHECKERS: dict[type[Check], Checker[Any]] = {}
"""The coroutine of each check."""


def performs(action: type[A]) -> Callable[[Performer[A]], Performer[A]]:
    """Register the coroutine that performs an action; it returns the results of the action, or None."""

    def register(performer: Performer[A]) -> Performer[A]:
        PERFORMERS[action] = performer
        return performer

    return register


def surrounds(action: type[A]) -> Callable[[Surrounder[A]], Surrounder[A]]:
    """Register the context manager of a block that goes on while its steps run.

    It begins before the steps and yields the performer that ends the action after them, within the step's time and
    with a context of its own; a failure among the steps leaves the performer out. At its end it tidies up.
    """

    def register(surrounder: Surrounder[A]) -> Surrounder[A]:
        SURROUNDERS[action] = surrounder
        return surrounder

    return register


def checks(check: type[C]) -> Callable[[Checker[C]], Checker[C]]:
    """Register the coroutine that makes a check; it raises Playwright's AssertionError when the check fails.

    Most have no results; a checker may return some.
    """

    def register(checker: Checker[C]) -> Checker[C]:
        CHECKERS[check] = checker
        return checker

    return register
