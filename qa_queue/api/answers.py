"""What every operation declares, for the API's document: the statuses beside its own."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import SkipJsonSchema

from qa_queue.api.problems import MEDIA_TYPE, Problem

Absent = SkipJsonSchema[None]  # a parameter that may be left out; a query cannot hold null

_WORDS = {
    400: "The body is not JSON.",
    401: "No token, or one that is not known.",
    403: "The token's role is too small, or another site's page asked.",
    404: "It does not exist.",
    409: "It does not go together with what is there.",
    413: "The body is too large.",
    422: "What was sent cannot be used; `problems` says why.",
    429: "Too many requests; `Retry-After` says for how many seconds to wait.",
    503: "Redis or Supabase is away.",
}
ALWAYS = (401, 403, 422, 429, 503)
WITH_BODY = (400, 413)

Answers = dict[int | str, dict[str, Any]]


def answers(*statuses: int, body: bool = False) -> Answers:
    """The problem documents that an operation may answer with: those that every one may, and these."""
    every = sorted({*ALWAYS, *statuses, *(WITH_BODY if body else ())})
    return {status: _answer(status) for status in every}


def _answer(status: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": _WORDS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status == 429:
        found["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return found


def add_problem(document: dict[str, Any]) -> None:
    """Put the problem document's own schema into the API's document."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    inner = schema.pop("$defs", {})
    document.setdefault("components", {}).setdefault("schemas", {}).update({"Problem": schema, **inner})
