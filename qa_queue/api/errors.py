"""Errors as problem documents (RFC 9457), and their declaration in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import Request
from starlette.responses import JSONResponse

from qa_queue.errors import CaseError, InputError, ItemsError, PayloadError, QAError
from qa_queue.errors.validation import path_text, problems_of
from qa_queue.models.outcomes import outcome_of

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5  # when a part of the service is unavailable


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    message: str = Field(examples=["unknown action 'clik'; did you mean 'click'?"])
    path: str = Field(default="", description="Path in the document or request.", examples=["steps[2]"])
    line: int | None = Field(default=None, description="Line of a document that was sent as text.")
    index: int | None = Field(default=None, description="Which item of a batch it is, counted from 0.")


class ProblemDocument(BaseModel):
    """A problem document, RFC 9457; `problems` lists everything that is wrong with a request."""

    type: str = Field(default="about:blank")
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["The case cannot be used: 1 problem."])
    problems: list[FieldError] = Field(default_factory=list)


class FieldErrorsError(InputError):
    """A request cannot be used; `faults` has everything that is wrong with it."""

    def __init__(self, message: str, faults: Sequence[FieldError]) -> None:
        super().__init__(message)
        self.faults = list(faults)


class RefusedError(QAError):
    """A request is refused before its content is read: no login, no permission, or too large."""

    def __init__(self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


def status_of(error: QAError) -> HTTPStatus:
    """Return the HTTP status of an error: a refusal's own, else that of the table of outcomes."""
    return error.status if isinstance(error, RefusedError) else outcome_of(error).http_status


def problem_of(error: QAError) -> ProblemDocument:
    """Return the problem document of an error."""
    return problem(status_of(error), str(error), faults_of(error) if _has_faults(error) else ())


def problem(status: int, detail: str, faults: Sequence[FieldError] = ()) -> ProblemDocument:
    """Return a problem document with this status."""
    return ProblemDocument(title=HTTPStatus(status).phrase, status=status, detail=detail, problems=list(faults))


def headers_of(error: QAError) -> dict[str, str]:
    """Return the response headers of an error."""
    if isinstance(error, RefusedError):
        return error.headers
    unavailable = status_of(error) is HTTPStatus.SERVICE_UNAVAILABLE
    return {"Retry-After": str(RETRY_AFTER_S)} if unavailable else {}


def respond(document: ProblemDocument, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return a problem document as a response."""
    return JSONResponse(document.model_dump(), document.status, dict(headers or {}), media_type=MEDIA_TYPE)


def body_model(request: Request) -> type[BaseModel] | None:
    """Return the model of the body that the route of a request takes."""
    field = getattr(request.scope.get("route"), "body_field", None)
    model = field.field_info.annotation if field is not None else None
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def problem_of_validation(error: RequestValidationError, body: type[BaseModel] | None = None) -> ProblemDocument:
    """Return the document of a refused request: 400 if the body is not JSON, else 422 with every fault.

    `body` is the model of the body, which gives the nearest known words.
    """
    faults = [
        FieldError(message=found.text, path=path_text(found.path))
        for found in problems_of(error, body, within=("body",))
    ]
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return problem(HTTPStatus.BAD_REQUEST, "The body is not JSON.", faults)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The request cannot be used.", faults)


def _has_faults(error: QAError) -> bool:
    return isinstance(error, (FieldErrorsError, ItemsError, CaseError, PayloadError))


def faults_of(error: QAError) -> list[FieldError]:
    """Return the faults of a request one by one; an error without a list of its own is one fault."""
    match error:
        case FieldErrorsError():
            return error.faults
        case ItemsError():
            return [
                fault.model_copy(update={"index": index})
                for index, inner in error.faults.items()
                for fault in faults_of(inner)
            ]
        case CaseError(problems=problems) | PayloadError(problems=problems) if problems:
            return [FieldError(message=text) for text in problems]
        case _:
            return [FieldError(message=str(error))]


Absent = SkipJsonSchema[None]  # a parameter that may be left out; a query cannot hold null

_WORDS = {
    400: "The body is not JSON.",
    401: "The token is missing, unknown or expired.",
    403: "The token's role does not allow this, or the request comes from another site's page.",
    404: "Not found.",
    409: "Conflict with the present state.",
    413: "The body is too large.",
    422: "The request is invalid; `problems` lists every fault.",
    429: "Too many requests; `Retry-After` gives the seconds to wait.",
    503: "Redis or Supabase is unavailable.",
}
ALWAYS = (401, 403, 422, 429, 503)
WITH_BODY = (400, 413)

Answers = dict[int | str, dict[str, Any]]


def answers(*statuses: int, body: bool = False) -> Answers:
    """Return the declarations of the problem documents of an operation: the common ones and these statuses."""
    every = sorted({*ALWAYS, *statuses, *(WITH_BODY if body else ())})
    return {status: _answer(status) for status in every}


def _answer(status: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": _WORDS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
    }
    if status == 429:
        found["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return found


def add_problem(document: dict[str, Any]) -> None:
    """Add the schema of problem documents to the OpenAPI document."""
    schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    inner = schema.pop("$defs", {})
    document.setdefault("components", {}).setdefault("schemas", {}).update({"ProblemDocument": schema, **inner})
