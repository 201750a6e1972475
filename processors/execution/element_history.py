"""What earlier runs know of a case's elements: read beside the start of a run, given to its steps, kept up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Self
from uuid import UUID

from processors.base import Claims
from processors.browser.describe import target_json, target_of
from processors.browser.protocol import NO_HINTS, ElementHints, StepOutcome
from processors.execution.heals import plain_document
from processors.execution.plan import RunPlan
from processors.execution.redaction import redact_json
from processors.execution.step_tree import PlannedStep
from processors.healing.fingerprint import Fingerprint, parse_fingerprint
from processors.learning.scoring import EARNED
from qa_queue.cases.actions import Expect, WaitFor
from qa_queue.cases.targets import Target
from qa_queue.errors import QAError
from qa_queue.models import utc_now
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import (
    CaseKnowledge,
    FingerprintRecord,
    PatternRecord,
    VerdictRecord,
    digest,
    fingerprint_id,
)

EVERY_NTH_RUN = 20  # looks again at elements that are known already
PATIENCE_S = 3.0  # for the store; a step that needs it sooner goes without
_log = logging.getLogger(__name__)


class ElementHistory:
    """The knowledge of one try, within a `with`. It is read meanwhile; the first step with an element waits for it.

    Of runs of one case that go on at once, one alone takes the fingerprint of an element, which costs a page more
    than most steps do.
    """

    def __init__(self, plan: RunPlan, store: RunStore, claims: Claims) -> None:
        self._plan = plan
        self._claims = claims
        self._loading: asyncio.Task[CaseKnowledge] | None = None
        if adapts(plan):
            self._loading = asyncio.ensure_future(asyncio.to_thread(_read, store, plan.case_id))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._claims.release(self)

    async def hints(self, planned: PlannedStep, adapted: int) -> ElementHints:
        """What is known for a step, when so many steps of this try have been adapted already."""
        if self._loading is None or target_of(planned.written.args) is None:
            return NO_HINTS
        await asyncio.wait({self._loading}, timeout=PATIENCE_S)
        if not self._loading.done():
            return NO_HINTS
        hints = hints_for(self._plan, planned, self._loading.result(), adapted)
        element = self._plan.case_id, planned.key
        return replace(hints, take=hints.take and self._claims.take(element, self))

    def record(self, planned: PlannedStep, outcome: StepOutcome) -> FingerprintRecord | None:
        """The row that a step's fingerprint makes; None where the store has the same."""
        known = self._loading.result() if self._loading and self._loading.done() else None
        return None if known is None else fingerprint_row(self._plan, planned, outcome, known)

    def knows(self, planned: PlannedStep) -> bool:
        """Whether the step's element was known when the run began."""
        known = self._loading.result() if self._loading and self._loading.done() else CaseKnowledge()
        return _row_of(planned, known) is not None


def _read(store: RunStore, case_id: str) -> CaseKnowledge:
    try:
        return store.knowledge(case_id)
    except QAError as error:
        _log.warning("What is known of case %s could not be read, so nothing is healed: %s", case_id, error)
        return CaseKnowledge()


def adapts(plan: RunPlan) -> bool:
    """Whether any step of a run may be healed."""
    return plan.config.adaptive_mode and any(mode_of(plan, planned) != "off" for planned in plan.steps)


def mode_of(plan: RunPlan, planned: PlannedStep) -> Any:
    """`off`, `suggest` or `auto`: the step's own word, else the case's; a check is healed by its own word alone."""
    own, step = planned.written.heal, planned.written
    if target_of(step.args) is None:
        return "off"
    if isinstance(step.args, (Expect, WaitFor)):
        return own or "off"
    return own or plan.case.heal


def hints_for(plan: RunPlan, planned: PlannedStep, known: CaseKnowledge, adapted: int) -> ElementHints:
    """What a step is given. Pure."""
    mode, key = mode_of(plan, planned), planned.key
    if mode == "off":
        return NO_HINTS
    row = _row_of(planned, known)
    accepted = _accepted(key, known.verdicts)
    rejected = frozenset(digest(one.locator) for one in known.verdicts if _rejects(one.step_key, one.verdict, key))
    return ElementHints(
        mode=mode if adapted < plan.config.max_adaptations else "off",
        old=None if row is None else _latest(row),
        others=() if row is None else others_of(row, known.fingerprints),
        learned=accepted or _learned(key, known.patterns, rejected),
        accepted=accepted is not None,
        rejected=rejected,
        take=row is None or _looks_again(plan.run_id),
        pictures=plan.config.screenshots != "off",
    )


def others_of(row: FingerprintRecord, rows: Iterable[FingerprintRecord]) -> tuple[Fingerprint, ...]:
    """The other elements of the case that are on the same page, each once. Pure."""
    places, found = {_place(_latest(row))}, []
    for other in rows:
        fingerprint = _latest(other)
        if other.page == row.page and _place(fingerprint) not in places:
            places.add(_place(fingerprint))
            found.append(fingerprint)
    return tuple(found)


def fingerprint_row(
    plan: RunPlan, planned: PlannedStep, outcome: StepOutcome, known: CaseKnowledge
) -> FingerprintRecord | None:
    """The row of a step that passed: its element as written, or what a heal or a learned locator found. Pure."""
    key, target = planned.key, target_of(planned.written.args)
    now = outcome.heal.new if outcome.heal and outcome.heal.performed else outcome.fingerprint
    if now is None or target is None or outcome.error is not None:
        return None
    document: dict[str, Any] = redact_json(plain_document(now), plan.secrets)
    row = _row_of(planned, known)
    if locator := _foreign(outcome):
        healed = {"locator": redact_json(target_json(locator), plan.secrets), "document": document}
        return None if row is None or row.healed == healed else row.model_copy(update={"healed": healed})
    if row is not None and row.healed is None and row.content_hash == digest(document):
        return None
    return FingerprintRecord(
        id=fingerprint_id(plan.case_id, key),
        test_case_id=plan.case_id,
        step_key=key,
        target_hash=_target_hash(planned),
        content_hash=digest(document),
        document=document,
        page=redact_json(outcome.page, plan.secrets),
        seen_at=utc_now(),
    )


def _foreign(outcome: StepOutcome) -> Target | None:
    """The locator that is not the case's own, where one found the element."""
    if outcome.heal is not None:
        return outcome.heal.target
    return outcome.found.learned if outcome.found and outcome.found.by_learned else None


def _row_of(planned: PlannedStep, known: CaseKnowledge) -> FingerprintRecord | None:
    """The fingerprint of the step, unless the case has named another element since."""
    row = next((row for row in known.fingerprints if row.step_key == planned.key), None)
    return row if row is not None and row.target_hash == _target_hash(planned) else None


def _target_hash(planned: PlannedStep) -> str:
    target = target_of(planned.written.args)
    assert target is not None
    return digest(target_json(target))


def _latest(row: FingerprintRecord) -> Fingerprint:
    return parse_fingerprint(row.healed["document"] if row.healed else row.document)


def _learned(key: str, patterns: Iterable[PatternRecord], rejected: frozenset[str]) -> Target | None:
    """The best locator that earlier heals found and that has earned to be tried first."""
    earned = (one for one in patterns if one.learned and one.step_key == key and one.confidence >= EARNED)
    allowed = [one for one in earned if digest(one.locator) not in rejected]
    best = max(allowed, key=lambda one: one.confidence, default=None)
    return None if best is None else Target.model_validate(best.locator)


def _accepted(key: str, verdicts: Iterable[VerdictRecord]) -> Target | None:
    """What somebody said is right, the latest word."""
    said = [one for one in verdicts if one.step_key == key and one.verdict == "accepted"]
    latest = max(said, key=lambda one: one.judged_at, default=None)
    return None if latest is None else Target.model_validate(latest.locator)


def _rejects(of_key: str, verdict: str, key: str) -> bool:
    return of_key == key and verdict == "rejected"


def _looks_again(run_id: str) -> bool:
    """Every nth run by its id, so that no counter has to be kept."""
    try:
        return UUID(run_id).int % EVERY_NTH_RUN == 0
    except ValueError:
        return False


def _place(fingerprint: Fingerprint) -> tuple[object, ...]:
    return fingerprint.frames, fingerprint.shadow, fingerprint.xpath
