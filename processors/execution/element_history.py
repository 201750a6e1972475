"""The history of a case's elements: read while a run starts, passed to its steps as hints, and updated."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any, Self, TypeVar
from uuid import UUID

from processors.base import Claims
from processors.browser.protocol import NO_HINTS, ElementHints, StepOutcome
from processors.execution.plan import RunPlan
from processors.execution.records import plain_document
from processors.execution.redaction import redact_json
from processors.execution.step_tree import PlannedStep
from processors.healing.fingerprint import Fingerprint, parse_fingerprint
from processors.learning.scoring import EARNED
from qa_queue.cases.actions import Expect, WaitFor
from qa_queue.cases.targets import Target
from qa_queue.errors import QAError
from qa_queue.models import ScreenshotMode, utc_now
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import (
    CaseKnowledge,
    FingerprintRecord,
    PatternRecord,
    VerdictRecord,
    digest,
    fingerprint_id,
)

EVERY_NTH_RUN = 20  # takes the fingerprints of known elements again
PATIENCE_S = 3.0  # for the store; then a step has no hints
_log = logging.getLogger(__name__)
K = TypeVar("K", PatternRecord, VerdictRecord)


class ElementHistory:
    """The history used by one try, within a `with`. It is read in the background; the first element waits for it.

    Of concurrent runs of one case only one takes the fingerprint of an element, because that costs a page more than
    most steps do.
    """

    def __init__(self, plan: RunPlan, store: RunStore, claims: Claims) -> None:
        self._plan = plan
        self._claims = claims
        self._loading: asyncio.Task[CaseKnowledge] | None = None
        if adapts(plan):
            self._loading = asyncio.ensure_future(asyncio.to_thread(_read, store, plan))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._claims.release(self)

    async def hints(self, planned: PlannedStep, adapted: int) -> ElementHints:
        """Return the hints for a step; `adapted` is the number of adapted steps of this try."""
        if self._loading is None or planned.written.args.subject is None:
            return NO_HINTS
        await asyncio.wait({self._loading}, timeout=PATIENCE_S)
        if not self._loading.done():
            return NO_HINTS
        hints = hints_for(self._plan, planned, self._loading.result(), adapted)
        element = self._plan.case_id, planned.key
        return replace(hints, take=hints.take and self._claims.take(element, self))

    def record(self, planned: PlannedStep, outcome: StepOutcome) -> FingerprintRecord | None:
        """Return the row of a step's fingerprint; None if the store has the same."""
        known = self._loading.result() if self._loading and self._loading.done() else None
        return None if known is None else fingerprint_row(self._plan, planned, outcome, known)

    def knows(self, planned: PlannedStep) -> bool:
        """Return True if the step's element was known when the run began."""
        known = self._loading.result() if self._loading and self._loading.done() else CaseKnowledge()
        return _row_of(planned, known) is not None


def _read(store: RunStore, plan: RunPlan) -> CaseKnowledge:
    try:
        known, shared = store.knowledge(plan.case_id), steps_of_flows(plan)
        return with_shared(plan, known, store.knowledge_of_steps(sorted(shared))) if shared else known
    except QAError as error:
        _log.warning("Cannot read the element history of case %s, so nothing is healed: %s", plan.case_id, error)
        return CaseKnowledge()


def steps_of_flows(plan: RunPlan) -> dict[str, str]:
    """Return the keys of the steps of flows that have an element, each with the hash of its target. Pure."""
    flows = tuple(f"{flow}:" for flow in plan.case.flows)
    inside = (planned for planned in plan.steps if planned.key.startswith(flows)) if flows else ()
    return {planned.key: _target_hash(planned) for planned in inside if planned.written.args.subject is not None}


def with_shared(plan: RunPlan, known: CaseKnowledge, found: CaseKnowledge) -> CaseKnowledge:
    """Return the knowledge of a case with that of other cases about the same steps of flows. Pure.

    A step is the same if its flow's file, its place in it and its target are; the case's own knowledge goes first,
    then the latest.
    """
    wanted, own = steps_of_flows(plan), {(row.step_key, row.target_hash) for row in known.fingerprints}
    same = [row for row in found.fingerprints if (row.step_key, row.target_hash) in wanted.items()]
    latest = {row.step_key: row for row in sorted(same, key=lambda row: row.seen_at)}
    shared = {key: row for key, row in latest.items() if (key, row.target_hash) not in own}
    donors = {(row.test_case_id, row.step_key) for row in same if row.test_case_id != plan.case_id}
    return CaseKnowledge(
        fingerprints=(*known.fingerprints, *shared.values()),
        patterns=(*known.patterns, *_given_by(donors, found.patterns)),
        verdicts=(*known.verdicts, *_given_by(donors, found.verdicts)),
    )


def _given_by(donors: Collection[tuple[str, str]], rows: Iterable[K]) -> Iterator[K]:
    yield from (row for row in rows if (row.test_case_id, row.step_key) in donors)


def adapts(plan: RunPlan) -> bool:
    """Return True if any step of a run may be healed."""
    return plan.config.adaptive_mode and any(mode_of(plan, planned) != "off" for planned in plan.steps)


def mode_of(plan: RunPlan, planned: PlannedStep) -> Any:
    """Return `off`, `suggest` or `auto`: the step's setting, else the case's; a check needs its own."""
    own, step = planned.written.heal, planned.written
    if step.args.subject is None:
        return "off"
    if isinstance(step.args, (Expect, WaitFor)):
        return own or "off"
    return own or plan.case.heal


def hints_for(plan: RunPlan, planned: PlannedStep, known: CaseKnowledge, adapted: int) -> ElementHints:
    """Return the hints for a step. Pure."""
    mode, key = mode_of(plan, planned), planned.key
    if mode == "off":
        return NO_HINTS
    row = _row_of(planned, known)
    accepted = _accepted(key, known.verdicts)
    rejected = frozenset(digest(one.locator) for one in _judged(key, known.verdicts, "rejected"))
    return ElementHints(
        mode=mode if adapted < plan.config.max_adaptations else "off",
        old=None if row is None else confirmed(row, _judged(key, known.verdicts, "accepted")),
        others=() if row is None else others_of(row, known.fingerprints),
        learned=accepted or _learned(key, known.patterns, rejected),
        accepted=accepted is not None,
        rejected=rejected,
        take=row is None or _takes_again(plan.run_id),
        pictures=plan.evidence.screenshots is not ScreenshotMode.OFF,
    )


def others_of(row: FingerprintRecord, rows: Iterable[FingerprintRecord]) -> tuple[Fingerprint, ...]:
    """Return the other elements of the case on the same page, each once. Pure."""
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
    """Return the row of a step that passed: its own element, or that of a heal or learned locator. Pure."""
    key, target = planned.key, planned.written.args.subject
    now = outcome.heal.new if outcome.heal and outcome.heal.performed else outcome.fingerprint
    if now is None or target is None or outcome.error is not None:
        return None
    document: dict[str, Any] = redact_json(plain_document(now), plan.secrets)
    row = _row_of(planned, known)
    if locator := _other_locator(outcome):
        healed = {"locator": redact_json(locator.document(), plan.secrets), "document": document}
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


def _other_locator(outcome: StepOutcome) -> Target | None:
    """Return the locator that found the element if it is not the case's own."""
    if outcome.heal is not None:
        return outcome.heal.target
    return outcome.found.learned if outcome.found and outcome.found.by_learned else None


def _row_of(planned: PlannedStep, known: CaseKnowledge) -> FingerprintRecord | None:
    """Return the fingerprint of the step, unless the case names another element now."""
    rows = (row for row in known.fingerprints if row.step_key == planned.key)
    return next((row for row in rows if row.target_hash == _target_hash(planned)), None)


def _target_hash(planned: PlannedStep) -> str:
    target = planned.written.args.subject
    assert target is not None
    return digest(target.document())


def confirmed(row: FingerprintRecord, accepted: Iterable[VerdictRecord]) -> Fingerprint:
    """Return the fingerprint that a person or a pass without a heal confirmed, to judge candidates by. Pure.

    One that a heal recorded does not count before it is accepted: otherwise an element could change in small steps
    into another one, each time with a high confidence.
    """
    healed = row.healed
    if healed is not None and any(one.locator == healed["locator"] for one in accepted):
        return parse_fingerprint(healed["document"])
    return parse_fingerprint(row.document)


def _latest(row: FingerprintRecord) -> Fingerprint:
    """Return the fingerprint that was recorded last, by a heal or not: where the element is now."""
    return parse_fingerprint(row.healed["document"] if row.healed else row.document)


def _learned(key: str, patterns: Iterable[PatternRecord], rejected: frozenset[str]) -> Target | None:
    """Return the best locator of earlier heals with enough confidence to be tried first."""
    earned = (one for one in patterns if one.learned and one.step_key == key and one.confidence >= EARNED)
    allowed = [one for one in earned if digest(one.locator) not in rejected]
    best = max(allowed, key=lambda one: one.confidence, default=None)
    return None if best is None else Target.model_validate(best.locator)


def _accepted(key: str, verdicts: Iterable[VerdictRecord]) -> Target | None:
    """Return the locator that was accepted last."""
    latest = max(_judged(key, verdicts, "accepted"), key=lambda one: one.judged_at, default=None)
    return None if latest is None else Target.model_validate(latest.locator)


def _judged(key: str, verdicts: Iterable[VerdictRecord], verdict: str) -> list[VerdictRecord]:
    return [one for one in verdicts if one.step_key == key and one.verdict == verdict]


def _takes_again(run_id: str) -> bool:
    """Select every nth run by its id, so that no counter is needed."""
    try:
        return UUID(run_id).int % EVERY_NTH_RUN == 0
    except ValueError:
        return False


def _place(fingerprint: Fingerprint) -> tuple[object, ...]:
    return fingerprint.frames, fingerprint.shadow, fingerprint.xpath
