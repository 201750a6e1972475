"""The dialogs of a context's pages: what steps prepared for them, what appeared, and what was answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from playwright.async_api import Dialog, Error

from processors.browser.failures import shorten
from processors.browser.page_log import PageLog
from processors.browser.traffic import Changes
from qa_queue.cases.actions import AnswerDialog
from qa_queue.cases.patterns import holds as text_holds

Policy = Literal["accept", "dismiss"]
_LEFT = "the page asked whether to leave it, and was left"
_DONE = {True: "accepted", False: "dismissed"}


@dataclass(frozen=True, kw_only=True)
class AnsweredDialog:
    """A dialog that appeared. `problem` says how it differs from the one that a step expected.

    `by` is the answer's origin: a step, the `dialogs` of the case, or neither.
    """

    kind: str  # alert, confirm, prompt, beforeunload
    message: str
    accepted: bool
    by: Literal["step", "case", "default"]
    problem: str | None = None

    def __str__(self) -> str:
        return f"{self.kind} {shorten(self.message)!r}"

    @property
    def note(self) -> str | None:
        """The sentence of the report, with how to answer otherwise; None where a step answered."""
        done = _DONE[self.accepted]
        match self.by, self.kind:
            case "step", _:
                return None
            case _, "alert":
                return f"{self} appeared and was closed"
            case _, "beforeunload":
                return f"{_LEFT}: put `dialog: dismiss` before this step to stay"
            case "case", _:
                other = "dismiss" if self.accepted else "accept"
                how = f"put `dialog: {other}` before this step to {other} it"
                return f"{self} appeared and was {done}, as `dialogs` of the case says: {how}"
        how = "put `dialog: accept` before this step, or `dialogs: accept` in the case, to accept it"
        return f"{self} appeared and was {done}, because no step answers it: {how}"


class DialogHandler:
    """Answers every dialog: as the oldest prepared step says, else by the policy of the case.

    Without a policy a dialog is dismissed, so that it does not stop the run. Leaving a page is always allowed.
    """

    def __init__(self, log: PageLog, policy: Policy | None, most: int) -> None:
        self.seen: list[AnsweredDialog] = []
        self._log = log
        self._policy = policy
        self._most = most
        self._prepared: deque[AnswerDialog] = deque()
        self._reported = 0
        self._changes = Changes()
        log.listen("dialog", self._on_dialog)

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until a condition on the dialogs that appeared holds; False where it does not in time."""
        return await self._changes.until(holds, seconds)

    def prepare(self, step: AnswerDialog) -> None:
        """Answer the next dialog that no other step has prepared for as this step says."""
        self._prepared.append(step)

    def withdraw(self, step: AnswerDialog) -> bool:
        """Take back a prepared answer; return False if it was used."""
        waiting = [one for one in self._prepared if one is not step]
        unused = len(waiting) < len(self._prepared)
        self._prepared = deque(waiting)
        return unused

    def take(self) -> tuple[AnsweredDialog, ...]:
        """Return the dialogs that appeared since the last call."""
        new = tuple(self.seen[self._reported :])
        self._reported = len(self.seen)
        return new

    @property
    def unused(self) -> tuple[str, ...]:
        """Sentences about prepared answers for which no dialog appeared."""
        return tuple(f"`dialog: {step.answer}` was prepared, and no dialog appeared" for step in self._prepared)

    async def _on_dialog(self, dialog: Dialog) -> None:
        if len(self.seen) >= self._most:
            self._log.stop(f"the pages opened more than {self._most} dialogs, the most of a try (QA_RUN_DIALOGS)")
            return
        step = self._prepared.popleft() if self._prepared else None
        answered = self._answer(dialog, step)
        self.seen.append(answered)
        self._changes.note()
        self._log.add("dialog", f"{dialog.type} {_DONE[answered.accepted]}: {dialog.message}", dialog.page)
        prompt = dialog.default_value if step is None or step.prompt is None else step.prompt
        try:
            await (dialog.accept(prompt) if answered.accepted else dialog.dismiss())
        except Error:
            self._log.add("note", "the dialog was gone before it was answered")

    def _answer(self, dialog: Dialog, step: AnswerDialog | None) -> AnsweredDialog:
        make: Callable[..., AnsweredDialog] = AnsweredDialog
        if step is not None:
            problem = difference(step, dialog.type, dialog.message)
            accepted = step.answer == "accept" and problem is None
            by: Literal["step", "case", "default"] = "step"
        else:
            problem, by = None, "case" if self._policy else "default"
            accepted = dialog.type == "beforeunload" or self._policy == "accept"
        return make(kind=dialog.type, message=dialog.message, accepted=accepted, by=by, problem=problem)


def difference(step: AnswerDialog, kind: str, message: str) -> str | None:
    """Return how a dialog differs from the one that a step expects; None where it does not."""
    found = f"found {kind} {shorten(message)!r}, which was dismissed"
    folded = " ".join(message.split())
    if step.kind is not None and step.kind != kind:
        return f"expected a dialog of type {step.kind}, {found}"
    if step.message is not None and not text_holds(step.message, message):
        return f"expected a dialog with the message {step.message!r}, {found}"
    if step.contains is not None and " ".join(step.contains.split()) not in folded:
        return f"expected a dialog whose message contains {step.contains!r}, {found}"
    return None
