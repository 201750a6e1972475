"""Judgements on adaptations: an accepted locator becomes the case's; a rejected one is never used again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.model import Case, Step, Target
from qa_queue.cases.reader import parse_case
from qa_queue.cases.retarget import retarget
from qa_queue.cases.traversal import rewrite, step_key
from qa_queue.errors import InputError, NotFoundError
from qa_queue.errors.schema_path import KeyPath
from qa_queue.models import utc_now
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import AdaptationRow, CaseRecord, VerdictRecord, digest, verdict_id


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """An adaptation that was judged. `case` is the new version of its case, where that was changed.

    `place` is the step's place in the case, as `3.2`, and `path` that in its document; `step` is what was there and
    `target` what it names now.
    """

    adaptation: AdaptationRow
    case: CaseRecord | None = None
    place: str | None = None
    path: KeyPath = ()
    step: Step | None = None
    target: Target | None = None

    def rewrite(self, text: str) -> str | None:
        """The text of the case's file with the step changed in place, nothing else touched.

        None where the case was not changed, or where the text does not have the step as it was stored.
        """
        if self.case is None or not self.path or self.step is None or self.target is None:
            return None
        return retarget(text, case=self.case.key, path=self.path, step=self.step, target=self.target)

    @property
    def step_number(self) -> int | None:
        """The number of a step that is in no block, from 1."""
        return int(self.place) if self.place is not None and self.place.isdecimal() else None


def accept(store: RunStore, adaptation_id: str, *, by: str | None, write: bool = True) -> Judgement:
    """Say that an adaptation was right and, with `write`, name its element so in the stored case from now on.

    Raises:
        NotFoundError: there is no such adaptation.
        InputError: the case has changed since, so that no one knows which step is meant.
    """
    row = get(store, adaptation_id)
    change = _retarget(store, row, row.old_target, row.new_target) if write else None
    judged = _judge(store, row, "accepted", by)
    return _stored(store, judged, change)


def reject(store: RunStore, adaptation_id: str, *, by: str | None) -> Judgement:
    """Say that an adaptation was wrong: that locator never serves the step again, and what rested on it is undone.

    Raises:
        NotFoundError: there is no such adaptation.
    """
    row = get(store, adaptation_id)
    judged = _judge(store, row, "rejected", by)
    known = store.knowledge(row.test_case_id)
    store.delete_patterns(
        [one.id for one in known.patterns if one.learned and _means(one.step_key, one.locator, row)]
    )
    store.save(
        one.model_copy(update={"healed": None})
        for one in known.fingerprints
        if one.healed and _means(one.step_key, one.healed["locator"], row)
    )
    try:
        change = _retarget(store, row, row.new_target, row.old_target)
    except InputError:
        change = None  # the case does not name it: nothing to take back
    return _stored(store, judged, change)


def get(store: RunStore, adaptation_id: str) -> AdaptationRow:
    """The adaptation. Raises NotFoundError if it does not exist."""
    row = store.get_adaptation(adaptation_id)
    if row is None:
        raise NotFoundError(
            f"there is no adaptation {adaptation_id!r}: `qa-queue adaptations list` has the newest."
        )
    return row


@dataclass(frozen=True)
class _Change:
    case: Case
    record: CaseRecord
    place: str
    path: KeyPath
    step: Step
    target: Target


def _retarget(store: RunStore, row: AdaptationRow, old: dict[str, Any], new: dict[str, Any]) -> _Change | None:
    """The case with the step naming `new` where it named `old`; None where it names `new` already."""
    record = store.get_case(row.test_case_id)
    if record is None:
        raise NotFoundError(f"the case {row.test_case_id} of adaptation {row.id} is no longer in the store.")
    case = parse_case(record.definition, source=f"case {record.name!r}")
    if _find(case, row, new) is not None:
        return None
    place, path, before = _place(case, row, old)
    target = Target.model_validate(new).model_copy(update={"fallbacks": _target(before).fallbacks})

    def changed(step: Step) -> Step:
        return step.model_copy(update={"args": step.args.on(target)}) if step.args is before.args else step

    sequences: dict[str, Any] = {name: rewrite(steps, changed) for name, steps in case.sequences()}
    flows = {
        key: flow.model_copy(update={"steps": rewrite(flow.steps, changed)}) for key, flow in case.flows.items()
    }
    updated = case.model_copy(update=sequences | {"flows": flows})
    return _Change(updated, record, place, path, before, target)


def _find(case: Case, row: AdaptationRow, target: dict[str, Any]) -> tuple[str, KeyPath, Step] | None:
    """Return the row's step with its place and its path, if it names this target now."""
    own = ((step_key(step, place), place, path, step) for place, path, step in case.placed_steps())
    of_flows = (
        (f"{flow}:{step_key(step, place)}", f"{flow}:{place}", path, step)
        for flow, place, path, step in case.placed_flow_steps()
    )
    for key, place, path, step in (*own, *of_flows):
        if key == row.step_key and step.args.subject is not None:
            return (place, path, step) if _words(_target(step)) == target else None
    return None


def _place(case: Case, row: AdaptationRow, old: dict[str, Any]) -> tuple[str, KeyPath, Step]:
    found = _find(case, row, old)
    if found is not None:
        return found
    raise InputError(
        f"the case {case.name!r} has changed since: its step {row.step_key} no longer names {_short(old)}. "
        "Accept with --no-write to let workers use the locator all the same."
    )


def _target(step: Step) -> Target:
    assert step.args.subject is not None
    return step.args.subject


def _words(target: Target) -> dict[str, Any]:
    return target.model_dump(mode="json", exclude_defaults=True, exclude={"fallbacks"})


def _judge(store: RunStore, row: AdaptationRow, verdict: Any, by: str | None) -> AdaptationRow:
    now = utc_now()
    judged = row.model_copy(update={"status": verdict, "judged_by": by, "judged_at": now})
    said = VerdictRecord(
        id=verdict_id(row.test_case_id, row.step_key, row.new_target),
        test_case_id=row.test_case_id,
        step_key=row.step_key,
        locator=row.new_target,
        verdict=verdict,
        judged_by=by,
        judged_at=now,
    )
    store.save([judged, said])
    return judged


def _stored(store: RunStore, judged: AdaptationRow, change: _Change | None) -> Judgement:
    if change is None:
        return Judgement(adaptation=judged)
    document = case_document(change.case)
    changed = change.record.model_copy(update={"definition": document, "content_hash": digest(document)})
    stored = store.save_cases([changed])[0]
    return Judgement(
        adaptation=judged,
        case=stored,
        place=change.place,
        path=change.path,
        step=change.step,
        target=change.target,
    )


def _means(step_key: str, locator: dict[str, Any], row: AdaptationRow) -> bool:
    return step_key == row.step_key and locator == row.new_target


def _short(target: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in target.items())
