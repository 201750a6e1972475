"""Operations on cases, and on the adaptations of their steps."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from qa_queue.api import documents, pagination
from qa_queue.api.dependencies import Admin, Reader, Runner, Service
from qa_queue.api.errors import Absent, answers, faults_of
from qa_queue.api.schemas.cases import (
    AcceptBody,
    AdaptationList,
    CaseBody,
    CasePage,
    CaseSummary,
    Deleted,
    DuplicateBody,
    ImportBody,
    Imported,
    Judged,
    RejectBody,
    StoredCase,
    ValidateBody,
    ValidationResult,
)
from qa_queue.api.submission import checked
from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.exporters.yaml import dump_yaml
from qa_queue.cases.retarget import unified
from qa_queue.errors import InputError
from qa_queue.producer import RunRequest
from qa_queue.services import adaptations as judgements
from qa_queue.services.adaptations import Judgement
from qa_queue.store.records import AdaptationRow

Status = Literal["applied", "proposed", "accepted", "rejected"]
routes = APIRouter(prefix="/cases", tags=["cases"])
adaptations = APIRouter(prefix="/adaptations", tags=["adaptations"])


@routes.post("", status_code=201, responses=answers(409, body=True), summary="Store a case")
def create_case(backend: Service, body: CaseBody, caller: Runner, response: Response) -> StoredCase:
    """Store a new case; 409 if another case has its id (or its name, if it has no id)."""
    case = documents.read(body.case, suites=backend.settings.qa_api_suites)
    stored = backend.changes(caller).create_case(case)
    response.headers["Location"] = f"/api/v1/cases/{stored.id}"
    return stored


@routes.post("/validate", responses=answers(body=True), summary="Validate a case")
def validate_case(backend: Service, body: ValidateBody, _: Reader) -> ValidationResult:
    """Report every fault of a case, as a run of it would; nothing is stored."""
    try:
        case = documents.read(body.case, suites=backend.settings.qa_api_suites)
        checked(RunRequest(case=case, env=body.env, process_env=False))
    except InputError as error:
        return ValidationResult(valid=False, problems=faults_of(error))
    return ValidationResult(valid=True, name=case.name, steps=case.step_count)


@routes.post("/import", responses=answers(body=True), summary="Convert a recording")
def import_recording(body: ImportBody, _: Reader) -> Imported:
    """Convert a recording of Chrome DevTools Recorder to a case, with its losses by step; nothing is stored."""
    found = documents.read_recording(body.recording)
    return Imported(case=case_document(found.case), yaml=dump_yaml(found.case), notes=list(found.notes))


@routes.get("", responses=answers(), summary="List cases")
def list_cases(
    backend: Service,
    _: Reader,
    tag: Annotated[str | Absent, Query(description="With this tag.")] = None,
    cursor: Annotated[str | Absent, Query(description="`next` of the previous page.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CasePage:
    """List cases by name, without their steps."""
    behind = pagination.decode_name(cursor) if cursor else ("", "")
    found = [
        case
        for case in backend.store.list_cases()
        if (case.name, case.id) > behind and (tag is None or tag in case.tags)
    ]
    page = [CaseSummary.model_validate(case.model_dump()) for case in found[:limit]]
    return CasePage(
        cases=page, next=pagination.encode_name(page[-1].name, page[-1].id) if len(found) > limit else None
    )


@routes.get("/{case_id}", responses=answers(404), summary="Get a case")
def get_case(backend: Service, case_id: str, _: Reader) -> StoredCase:
    """Return the case with its document."""
    return backend.case(case_id)


@routes.put("/{case_id}", responses=answers(404, 409, body=True), summary="Replace a case")
def replace_case(backend: Service, case_id: str, body: CaseBody, caller: Runner) -> StoredCase:
    """Store another definition as the case's next version; an equal one changes nothing.

    409 if the document is of another case: the id (or the name, if it has none) must stay.
    """
    old, case = backend.case(case_id), documents.read(body.case, suites=backend.settings.qa_api_suites)
    return backend.changes(caller).replace_case(old, case)


@routes.post("/{case_id}/duplicate", status_code=201, responses=answers(404, 409, body=True), summary="Copy a case")
def duplicate_case(
    backend: Service, case_id: str, body: DuplicateBody, caller: Runner, response: Response
) -> StoredCase:
    """Store a copy of a case under another name."""
    stored = backend.changes(caller).duplicate_case(backend.case(case_id), name=body.name, case_id=body.id)
    response.headers["Location"] = f"/api/v1/cases/{stored.id}"
    return stored


@routes.delete("/{case_id}", responses=answers(404, 409), summary="Delete a case and all its runs")
def remove_case(backend: Service, case_id: str, caller: Admin) -> Deleted:
    """Delete a case **with all its runs**, their steps and its learned locators; waiting runs are cancelled first.

    The next clean-up deletes the files. 409 while one of its runs is running.
    """
    case = backend.case(case_id)
    runs = backend.changes(caller).delete_case(case)
    return Deleted(case_id=case.id, runs=runs)


@adaptations.get("", responses=answers(), summary="List adaptations")
def list_adaptations(
    backend: Service,
    _: Reader,
    status: Annotated[list[Status] | Absent, Query(description="With any of these statuses.")] = None,
    run: Annotated[str | Absent, Query(description="Of this run.")] = None,
    case: Annotated[str | Absent, Query(description="Of runs of this case, by its id.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> AdaptationList:
    """List adaptations, the newest first, without their evidence."""
    cases = None if case is None else [case]
    found = backend.store.find_adaptations(case_ids=cases, run_id=run, statuses=status, limit=limit)
    return AdaptationList(adaptations=[row.model_copy(update={"evidence": None}) for row in found])


@adaptations.get("/{adaptation_id}", responses=answers(404), summary="Get an adaptation")
def get_adaptation(backend: Service, adaptation_id: str, _: Reader) -> AdaptationRow:
    """Return the old and the new locator, and in `evidence` the reasons for and against."""
    return judgements.get(backend.store, adaptation_id)


@adaptations.post("/{adaptation_id}/accept", responses=answers(404, body=True), summary="Accept an adaptation")
def accept_adaptation(
    backend: Service, adaptation_id: str, caller: Runner, body: AcceptBody | None = None
) -> Judged:
    """Accept a healed locator: with `write` for the case's next version, otherwise for workers only.

    422 if the case has changed since and the step cannot be identified.
    """
    options = body or AcceptBody()
    judged = backend.changes(caller).accept_adaptation(adaptation_id, write=options.write)
    return _judged(judged, options.file)


@adaptations.post("/{adaptation_id}/reject", responses=answers(404, body=True), summary="Reject an adaptation")
def reject_adaptation(
    backend: Service, adaptation_id: str, caller: Runner, body: RejectBody | None = None
) -> Judged:
    """Reject a healed locator: it is never used for this step again, and a case that received it is restored."""
    judged = backend.changes(caller).reject_adaptation(adaptation_id)
    return _judged(judged, body.file if body else None)


def _judged(judged: Judgement, file: str | None) -> Judged:
    changed = judged.rewrite(file) if file is not None else None
    name = (judged.case.source if judged.case else None) or "case.yaml"
    return Judged(
        adaptation=judged.adaptation.model_copy(update={"evidence": None}),
        case_version=judged.case.version if judged.case else None,
        step_number=judged.step_number,
        place=judged.place,
        patch=unified(file, changed, name) if file is not None and changed is not None else None,
    )
