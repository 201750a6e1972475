"""Stored cases, and looking at cases that are not stored."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from qa_queue.api import documents
from qa_queue.api import pagination as cursors
from qa_queue.api.auth import Admin, Reader, Runner
from qa_queue.api.errors import Absent, answers, faults_of
from qa_queue.api.schemas.runs import (
    CaseBody,
    CasePage,
    CaseSummary,
    Deleted,
    DuplicateBody,
    ImportBody,
    Imported,
    StoredCase,
    ValidateBody,
    ValidationResult,
)
from qa_queue.api.submission import checked
from qa_queue.cases.exporters.yaml import case_document, dump_yaml
from qa_queue.errors import InputError
from qa_queue.producer import RunRequest
from qa_queue.services import Backend
from qa_queue.services import cases as services


def router(backend: Backend) -> APIRouter:
    """The operations on cases."""
    routes = APIRouter(prefix="/cases", tags=["cases"])

    @routes.post("", status_code=201, responses=answers(409, body=True), summary="Store a case")
    def create_case(body: CaseBody, _: Runner, response: Response) -> StoredCase:
        """Store a new case; 409 when its id, or its name where it has no id, is another's."""
        stored = services.create_case(backend.store, documents.read(body.case))
        response.headers["Location"] = f"/api/v1/cases/{stored.id}"
        return stored

    @routes.post("/validate", responses=answers(body=True), summary="Look at a case without storing it")
    def validate_case(body: ValidateBody, _: Reader) -> ValidationResult:
        """Everything that is wrong with a case, as a run of it would find; nothing is written."""
        try:
            case = documents.read(body.case)
            checked(RunRequest(case=case, env=body.env, process_env=False))
        except InputError as error:
            return ValidationResult(valid=False, problems=faults_of(error))
        return ValidationResult(valid=True, name=case.name, steps=len(case.steps))

    @routes.post("/import", responses=answers(body=True), summary="Turn a recording into a case")
    def import_recording(body: ImportBody, _: Reader) -> Imported:
        """The case of a recording of Chrome DevTools Recorder, and step by step what was not carried over; nothing
        is stored."""
        found = documents.read_recording(body.recording)
        return Imported(case=case_document(found.case), yaml=dump_yaml(found.case), notes=list(found.notes))

    @routes.get("", responses=answers(), summary="List cases")
    def list_cases(
        _: Reader,
        tag: Annotated[str | Absent, Query(description="With this tag.")] = None,
        cursor: Annotated[str | Absent, Query(description="`next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> CasePage:
        """Cases by name, without their steps."""
        behind = cursors.decode_name(cursor) if cursor else ("", "")
        found = [
            case
            for case in backend.store.list_cases()
            if (case.name, case.id) > behind and (tag is None or tag in case.tags)
        ]
        page = [CaseSummary.model_validate(case.model_dump()) for case in found[:limit]]
        return CasePage(
            cases=page, next=cursors.encode_name(page[-1].name, page[-1].id) if len(found) > limit else None
        )

    @routes.get("/{case_id}", responses=answers(404), summary="Get a case")
    def get_case(case_id: str, _: Reader) -> StoredCase:
        """The case with its document."""
        return backend.case(case_id)

    @routes.put("/{case_id}", responses=answers(404, 409, body=True), summary="Replace a case")
    def replace_case(case_id: str, body: CaseBody, _: Runner) -> StoredCase:
        """Give a case another definition, which is its next version; the same one changes nothing. 409 when the
        document names another case: its id (or name, where it has none) must stay."""
        return services.replace_case(backend.store, backend.case(case_id), documents.read(body.case))

    @routes.post(
        "/{case_id}/duplicate", status_code=201, responses=answers(404, 409, body=True), summary="Copy a case"
    )
    def duplicate_case(case_id: str, body: DuplicateBody, _: Runner, response: Response) -> StoredCase:
        """A new case with the same steps under another name."""
        stored = services.duplicate_case(backend.store, backend.case(case_id), name=body.name, case_id=body.id)
        response.headers["Location"] = f"/api/v1/cases/{stored.id}"
        return stored

    @routes.delete("/{case_id}", responses=answers(404, 409), summary="Delete a case and all its runs")
    def remove_case(case_id: str, caller: Admin) -> Deleted:
        """Delete a case **with all its runs**, their steps and what was learned of it; runs that wait are
        cancelled first. Files of evidence go with the next clean-up. 409 while one of its runs is running."""
        case = backend.case(case_id)
        runs = services.delete_case(backend, case, by=caller.name)
        return Deleted(case_id=case.id, runs=runs)

    return routes
