"""Errors as problem documents (RFC 9457), and which error is which status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from qa_queue.errors import (
    CaseError,
    ConflictError,
    IdempotencyConflictError,
    InfrastructureError,
    InputError,
    NotFoundError,
    PayloadError,
    QAError,
    SettingsError,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5  # when a part of the service is away


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    message: str = Field(examples=["unknown action 'clik'; did you mean 'click'?"])
    path: str = Field(default="", description="Where in the document or request it is.", examples=["steps[2]"])
    line: int | None = Field(default=None, description="Line of a document that was sent as text.")
    index: int | None = Field(default=None, description="Which item of a batch it is, counted from 0.")


class Problem(BaseModel):
    """A problem document, RFC 9457; `problems` lists everything that is wrong with a request."""

    type: str = Field(default="about:blank")
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["The case cannot be used: 1 problem."])
    problems: list[Fault] = Field(default_factory=list)


class FaultsError(InputError):
    """A request cannot be used; `faults` has everything that is wrong with it."""

    def __init__(self, message: str, faults: Sequence[Fault]) -> None:
        super().__init__(message)
        self.faults = list(faults)


class RefusedError(QAError):
    """A request is refused for what it is, not for what it holds: no login, no right, too much."""

    def __init__(self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


# The first that matches wins, so the special stand before the general.
_STATUSES: tuple[tuple[type[QAError], HTTPStatus], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (ConflictError, HTTPStatus.CONFLICT),
    (IdempotencyConflictError, HTTPStatus.CONFLICT),
    (SettingsError, HTTPStatus.SERVICE_UNAVAILABLE),
    (InputError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (InfrastructureError, HTTPStatus.SERVICE_UNAVAILABLE),
)


def status_of(error: QAError) -> HTTPStatus:
    """The status that says what an error means to the client."""
    if isinstance(error, RefusedError):
        return error.status
    found = (status for kind, status in _STATUSES if isinstance(error, kind))
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)


def problem_of(error: QAError) -> Problem:
    """The document of an error."""
    return problem(status_of(error), str(error), _faults(error))


def problem(status: int, detail: str, faults: Sequence[Fault] = ()) -> Problem:
    """A document of this status."""
    return Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, problems=list(faults))


def headers_of(error: QAError) -> dict[str, str]:
    """The headers that go with an error."""
    if isinstance(error, RefusedError):
        return error.headers
    away = status_of(error) is HTTPStatus.SERVICE_UNAVAILABLE
    return {"Retry-After": str(RETRY_AFTER_S)} if away else {}


def respond(document: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A problem document as an answer."""
    return JSONResponse(document.model_dump(), document.status, dict(headers or {}), media_type=MEDIA_TYPE)


def problem_of_validation(error: RequestValidationError) -> Problem:
    """What FastAPI found wrong with a request: 400 when the body is no JSON, else 422 with every fault."""
    items = error.errors()
    if any(item["type"] == "json_invalid" for item in items):
        return problem(HTTPStatus.BAD_REQUEST, "The body is not JSON.", [_fault(item) for item in items])
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The request cannot be used.", [_fault(item) for item in items])


def _fault(item: Mapping[str, Any]) -> Fault:
    where = [part for part in item["loc"] if part != "body"]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).removeprefix(".")
    return Fault(message=str(item["msg"]), path=path)


def _faults(error: QAError) -> list[Fault]:
    if isinstance(error, FaultsError):
        return error.faults
    return [Fault(message=text) for text in error.problems] if isinstance(error, (CaseError, PayloadError)) else []
