"""Steps that found their element by another way, and what people say of them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from qa_queue.api.auth import Reader, Runner
from qa_queue.api.errors import Absent, answers
from qa_queue.api.schemas.runs import AcceptBody, AdaptationList, Judged, RejectBody
from qa_queue.cases.retarget import unified
from qa_queue.services import Backend, adaptations
from qa_queue.services.adaptations import Judgement
from qa_queue.store.records import AdaptationRow

Status = Literal["applied", "proposed", "accepted", "rejected"]


def router(backend: Backend) -> APIRouter:
    """The operations on adaptations."""
    routes = APIRouter(prefix="/adaptations", tags=["adaptations"])

    @routes.get("", responses=answers(), summary="List adaptations")
    def list_adaptations(
        _: Reader,
        status: Annotated[list[Status] | Absent, Query(description="Of one of these.")] = None,
        run: Annotated[str | Absent, Query(description="Of this run.")] = None,
        case: Annotated[str | Absent, Query(description="Of runs of this case, by its id.")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    ) -> AdaptationList:
        """Adaptations, the newest first, without their evidence."""
        found = backend.store.find_adaptations(case_id=case, run_id=run, statuses=status, limit=limit)
        return AdaptationList(adaptations=[row.model_copy(update={"evidence": None}) for row in found])

    @routes.get("/{adaptation_id}", responses=answers(404), summary="Get an adaptation")
    def get_adaptation(adaptation_id: str, _: Reader) -> AdaptationRow:
        """Return what it was, what it became, and in `evidence` what spoke for and against."""
        return adaptations.get(backend.store, adaptation_id)

    @routes.post("/{adaptation_id}/accept", responses=answers(404, body=True), summary="Say that it was right")
    def accept_adaptation(adaptation_id: str, caller: Runner, body: AcceptBody | None = None) -> Judged:
        """With `write`, its locator becomes the case's, which is its next version; without, workers use the locator
        and the case stays. 422 when the case has changed since, so that no one knows which step is meant."""
        said = body or AcceptBody()
        judged = adaptations.accept(backend.store, adaptation_id, by=caller.name, write=said.write)
        return _judged(judged, said.file)

    @routes.post("/{adaptation_id}/reject", responses=answers(404, body=True), summary="Say that it was wrong")
    def reject_adaptation(adaptation_id: str, caller: Runner, body: RejectBody | None = None) -> Judged:
        """No element that this locator finds is ever taken for that step again, and what rested on it is undone: a
        case that was given the locator gets its own back."""
        judged = adaptations.reject(backend.store, adaptation_id, by=caller.name)
        return _judged(judged, body.file if body else None)

    return routes


def _judged(judged: Judgement, file: str | None) -> Judged:
    changed = judged.rewrite(file) if file is not None else None
    name = (judged.case.source if judged.case else None) or "case.yaml"
    return Judged(
        adaptation=judged.adaptation.model_copy(update={"evidence": None}),
        case_version=judged.case.version if judged.case else None,
        step_number=judged.step_number,
        patch=unified(file, changed, name) if file is not None and changed is not None else None,
    )
