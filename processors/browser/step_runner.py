"""One step on one page: find its element, heal it if that is allowed, and perform the action."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Error, Locator, Page
from playwright.async_api import TimeoutError as WaitTimeoutError

from processors.browser.action_context import ActionContext, Performed, SessionState
from processors.browser.actions import perform
from processors.browser.element_finder import FOUND_FLOOR_MS, Deadline, choose, count, find, look_at
from processors.browser.failures import StepFailedError, explain
from processors.browser.fingerprinting import PageView, fingerprint_of, with_fingerprint
from processors.browser.healer import HealFinding, Refusal, is_still, marked_picture, search, settle
from processors.browser.locators import locator_for
from processors.browser.navigations import expected_navigation
from processors.browser.protocol import ElementHints, Finish, Found, Heal, Match, SessionOptions, StepOutcome
from processors.healing.decision import HealRefused
from processors.healing.fingerprint import Fingerprint
from qa_queue.cases.actions import PointerAction
from qa_queue.cases.steps import Action, Step
from qa_queue.cases.targets import Target
from qa_queue.models import ErrorKind

HEAL_SHARE = 0.5  # of the step's time belongs to the target as written, before healing is thought of
HEAL_S = 10.0  # for looking, deciding, two pictures and the action; a step overruns its time only where it heals
_MISSING = (ErrorKind.NOT_FOUND, ErrorKind.AMBIGUOUS)
_BY_PARTS = ("type",)  # begun twice, it would type twice


@dataclass
class StepRunner:
    """A step while it is done; what it finds on its way is kept for the message when it fails."""

    state: SessionState
    options: SessionOptions
    step: Step
    deadline: Deadline
    hints: ElementHints
    secrets: frozenset[str] = frozenset()
    finish: Finish | None = None
    found: Found | None = None
    proposal: Heal | None = None
    refusal: str = ""
    healed: Target | None = None
    page: Page = field(init=False)
    _unlearned: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        self.page = self.state.pages.current

    @property
    def subject(self) -> str:
        """The element in words, by the alternative that found it."""
        target = self.step.args.subject
        if target is None:
            return self.step.title
        if self.healed is not None:
            return f"{self.healed} (healed, for {target})"
        words = str(self._known(self.found)[self.found.index if self.found else 0])
        if self.found and self.found.by_learned:
            return f"{words} (learned for {target})"
        return f"{words} (fallback for {target})" if self.found and self.found.index else words

    async def outcome(self, limit: asyncio.Timeout) -> StepOutcome:
        """Do it; a heal may move the limit. Raises what Playwright raises, or StepFailedError."""
        if not self._may_heal:
            return await self._act(self.deadline)
        try:
            return await self._act(self.deadline.share(HEAL_SHARE))
        except (Error, StepFailedError) as error:
            kind = self._kind(error)
            if kind in _MISSING:
                limit.reschedule(max(limit.when() or 0, asyncio.get_running_loop().time() + HEAL_S))
                if healed := await self._heal():
                    return healed
            if kind is ErrorKind.AMBIGUOUS or not _is_patient(error) or self.step.action in _BY_PARTS:
                raise
        return await self._act(self.deadline)

    @property
    def _may_heal(self) -> bool:
        return (
            self.hints.mode != "off"
            and self.hints.old is not None
            and self.step.args.subject is not None
            and self.step.args.requires_presence
        )

    def _kind(self, error: Exception) -> ErrorKind:
        if isinstance(error, StepFailedError):
            return error.kind
        return explain(str(error), subject="", timeout_ms=self.deadline.timeout_ms).kind

    async def _act(self, deadline: Deadline) -> StepOutcome:
        call = await self._locate(deadline)
        if self._may_heal and (self.step.action in _BY_PARTS or self.step.action in ("expect", "wait_for")):
            await call.element.wait_for(state="attached", timeout=call.left_ms)
            call = replace(call, deadline=self.deadline) if self.step.action in _BY_PARTS else call
        return await self._do(call)

    async def _do(self, call: ActionContext[Action]) -> StepOutcome:
        """The action, and beside it, where it is wanted, the fingerprint of its element."""
        page, taken = urlsplit(self.page.url).path, None
        if self.hints.take and call.locator is not None:
            done, taken = await with_fingerprint(self._perform(call), self._take(call))
        else:
            done = await self._perform(call)
        return StepOutcome(
            found=self.found,
            picture=done.picture,
            saved=self._saved(done),
            notes=done.notes,
            files=done.files,
            pictures=done.pictures,
            adapted=done.adapted,
            fingerprint=taken,
            page=page,
        )

    @property
    def _framed(self) -> bool:
        target = self.step.args.subject
        return target is not None and target.frame is not None

    async def _perform(self, call: ActionContext[Action]) -> Performed:
        if not self.step.navigates:
            return await perform(call, self.finish)
        async with expected_navigation(self.page, self.deadline, framed=self._framed):
            return await perform(call, self.finish)

    def _saved(self, done: Performed) -> Mapping[str, Any]:
        return done.saved if self.step.save_as is None else {**done.saved, self.step.save_as: done.result}

    async def _take(self, call: ActionContext[Action]) -> Fingerprint | None:
        if not self.step.args.requires_presence:
            return None
        try:
            return await fingerprint_of(call.element, self._view(), in_frame=self._framed, timeout_ms=call.left_ms)
        except Error:
            return None  # the action left the page first, or fails itself

    async def _locate(self, deadline: Deadline) -> ActionContext[Action]:
        """The step's element, by the alternative of its target that finds it."""
        target, locator = self.step.args.subject, None
        if target is not None:
            chosen = self._alternatives(target)
            learned = self._learned
            every = (*chosen, *([learned] if learned else []))
            locators = [self._locator(one) for one in every]
            framed = any(one.frame is not None for one in every)
            self.found = await find(locators, deadline, learned, framed=framed)
            locator = locators[self.found.index]
            if self.found.by_learned and not await self._confirmed(locator):
                self._unlearned = True
                return await self._locate(deadline)
            deadline = replace(deadline, floor_ms=FOUND_FLOOR_MS) if self.found.matches else deadline
        return self._call(deadline, locator)

    def _call(self, deadline: Deadline, locator: Locator | None) -> ActionContext[Action]:
        return ActionContext(
            page=self.page,
            state=self.state,
            args=self.step.args,
            options=self.options,
            deadline=deadline,
            subject=self.subject,
            locator=locator,
            secrets=self.secrets,
        )

    @property
    def _learned(self) -> Target | None:
        return None if self._unlearned or not self.step.args.requires_presence else self.hints.learned

    async def _confirmed(self, locator: Locator) -> bool:
        """Return True if the element of a learned locator looks like the step's, or would be accepted for it."""
        if self.hints.old is None:
            return False
        look = await look_at(locator)
        if look.element is None:
            return False
        now = await fingerprint_of(locator, self._view(), in_frame=False, timeout_ms=FOUND_FLOOR_MS)
        return _alike(now, self.hints.old) or await is_still(self.page, self._view(), self.hints, look.element)

    async def _heal(self) -> StepOutcome | None:
        """The step done on another element; None where none is sure enough, or it may only be proposed."""
        await settle(self.page)
        if await self._is_there():
            return await self._act(self.deadline)
        finding = await search(self.page, self._view(), self.hints, self.options.secrets)
        if isinstance(finding, Refusal):
            self.refusal = finding.reason
            return None
        locator = self._locator(finding.target)
        before = await self._picture(locator)
        if self.hints.mode == "suggest" or isinstance(finding.decision, HealRefused):
            self.proposal = self._heal_of(finding, performed=False, before=before)
            doubt = f" ({finding.decision.reason})" if isinstance(finding.decision, HealRefused) else ""
            self.refusal = f"{finding.target} is proposed, to be accepted by somebody{doubt}"
            return None
        self.healed = finding.target
        call = self._call(replace(self.deadline, floor_ms=FOUND_FLOOR_MS), locator)
        call = replace(call, args=_resized(call.args, self.hints.old, finding.new))
        done = await self._perform(call)
        heal = replace(self._heal_of(finding, performed=True, before=before), after=await self._picture(locator))
        return StepOutcome(
            found=self.found,
            picture=done.picture,
            saved=self._saved(done),
            notes=done.notes,
            heal=heal,
            page=urlsplit(self.page.url).path,
        )

    async def _is_there(self) -> bool:
        """Return True if the page has the element as written after all."""
        target = self.step.args.subject
        assert target is not None
        tried = [*self._alternatives(target), *([self.hints.learned] if self.hints.learned else [])]
        counts = await asyncio.gather(*(count(self._locator(one)) for one in tried))
        # None of them is what the step will use, should it be healed: for learning that counts as a miss.
        self.found = Found(matches=tuple(Match(count=n, same=False) for n in counts), learned=self.hints.learned)
        return choose(counts[: len(self._alternatives(target))], fallbacks=True) is not None

    def _heal_of(self, finding: HealFinding, *, performed: bool, before: bytes | None) -> Heal:
        assert self.hints.old is not None
        return Heal(
            target=finding.target,
            performed=performed,
            decision=finding.decision,
            old=self.hints.old,
            new=finding.new,
            runner_up=finding.runner_up,
            before=before,
        )

    async def _picture(self, locator: Locator) -> bytes | None:
        return await marked_picture(self.page, locator, self.options.secrets) if self.hints.pictures else None

    def _alternatives(self, target: Target) -> tuple[Target, ...]:
        return target.alternatives() if self.step.args.requires_presence else target.alternatives()[:1]

    def _known(self, found: Found | None) -> tuple[Target, ...]:
        target = self.step.args.subject
        assert target is not None
        return (*target.alternatives(), *([found.learned] if found and found.learned else []))

    def _locator(self, target: Target) -> Locator:
        return locator_for(self.page, target, self.options.test_id_attribute)

    def _view(self) -> PageView:
        return PageView(
            test_id_attribute=self.options.test_id_attribute,
            ignored=self.options.ignored_attributes,
            need=self.step.args.actionability,
            tag=self.hints.old.tag if self.hints.old else "",
        )


def _is_patient(error: Exception) -> bool:
    """Return True if more time could help: the step ran out of its first share and was not refused at once."""
    if isinstance(error, StepFailedError):
        return error.kind in (ErrorKind.ASSERTION, ErrorKind.TIMEOUT)
    return isinstance(error, WaitTimeoutError)


def _resized(args: Action, old: Fingerprint | None, new: Fingerprint) -> Action:
    """Return the action with its point at the same share of the element's size."""
    before, after = old and old.box, new.box
    if not isinstance(args, PointerAction) or not before or not after or not before.width or not before.height:
        return args
    return args.scaled(after.width / before.width, after.height / before.height)


def _alike(one: Fingerprint, other: Fingerprint) -> bool:
    """Return True if two fingerprints differ at most in place and neighbours."""
    return _of_itself(one) == _of_itself(other)


def _of_itself(fingerprint: Fingerprint) -> Fingerprint:
    return replace(
        fingerprint, box=None, neighbours=(), xpath=None, id_xpath=None, match_counts=(), usable=True, frames=()
    )
