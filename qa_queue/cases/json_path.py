"""JSONPath (RFC 9535): where a value stands in a JSON document, as `$.items[0].id`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Annotated, Any

from pydantic import AfterValidator

REFERENCE = "${"  # what a value stands for is known in the run
MAX_CHARS = 1_000
_PLAIN_FUNCTIONS = ("length", "count", "value")  # the other two match regular expressions, which may never end


class NotInDocumentError(LookupError):
    """The document has no value at a path."""


def value_at(path: str, document: Any) -> Any:
    """Return the value at a path; the list of values at a path that may name several, such as `$.items[*].id`.

    Raises:
        ValueError: this is not a JSONPath.
        NotInDocumentError: the path names one value, and the document does not have it.
    """
    query = _compiled(path)
    found = query.findall(document)
    if not query.singular_query():
        return found
    if not found:
        raise NotInDocumentError(path)
    return found[0]


def check_path(path: str) -> str:
    """Return a path that can be read; one with references is read in the run.

    Raises:
        ValueError: this is not a JSONPath.
    """
    if REFERENCE not in path:
        _compiled(path)
    return path


JsonPath = Annotated[str, AfterValidator(check_path)]


def _compiled(path: str) -> Any:
    if len(path) > MAX_CHARS:
        raise ValueError(f"is {len(path)} characters long; {MAX_CHARS} are allowed")
    jsonpath = import_module("jsonpath")  # 30 ms, and most cases have no path
    try:
        return _environment().compile(path)
    except jsonpath.JSONPathError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path!r} is not a JSONPath ({reason}): write one such as $.items[0].id") from None


@cache
def _environment() -> Any:
    environment = import_module("jsonpath").JSONPathEnvironment(strict=True)
    for name in environment.function_extensions.keys() - set(_PLAIN_FUNCTIONS):
        del environment.function_extensions[name]
    return environment
