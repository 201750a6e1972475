"""Targets in the words of a case for the locators that Playwright suggests. Pure.

Of an element that is one of several, Playwright's message says `aka get_by_role("button", name="Save as")`.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

_KEYS = {
    "get_by_role": "role",
    "get_by_text": "text",
    "get_by_label": "label",
    "get_by_placeholder": "placeholder",
    "get_by_alt_text": "alt",
    "get_by_title": "title",
    "get_by_test_id": "test_id",
    "locator": "css",
}
_OPTIONS = ("name", "exact", "has_text", "has_not_text")
_BY_ID = re.compile(r'\[id="([A-Za-z_][\w-]*)"\]')
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 ./_-]*")
_WORDS_OF_YAML = ("true", "false", "null", "yes", "no", "on", "off")


def suggested_target(locator: str) -> str | None:
    """Return a locator of Playwright for Python as a target, such as `{role: button, name: Save as}`.

    None for a locator that has no such form, as one with a regular expression.
    """
    try:
        found = _target(ast.parse(locator, mode="eval").body)
    except (SyntaxError, ValueError, LookupError, AttributeError, RecursionError, SystemError):
        return None  # a SystemError: Python 3.11, if the garbage collector runs meanwhile (python/cpython#106905)
    return None if found is None else _flow(found)


def _target(node: ast.expr) -> dict[str, Any] | None:
    """Return the fields of the target of an expression; None for the page itself, which has none."""
    match node:
        case ast.Attribute(value=inner, attr="first" | "last" as which):
            return {**_fields(inner), which: True}
        case ast.Call(func=ast.Attribute(value=inner, attr="nth"), args=[index]):
            return {**_fields(inner), "nth": ast.literal_eval(index)}
        case ast.Call(func=ast.Attribute(value=inner, attr="filter"), args=[], keywords=options):
            return {**_fields(inner), **_options(options)}
        case ast.Call(func=ast.Attribute(value=inner, attr=method), args=[subject], keywords=options):
            return {**_own(method, subject, options), "within": _fields(inner)}
        case ast.Call(func=ast.Name(id=method), args=[subject], keywords=options):
            return _own(method, subject, options)
    return None


def _fields(node: ast.expr) -> dict[str, Any]:
    found = _target(node)
    if found is None:
        raise ValueError(ast.unparse(node))
    return found


def _own(method: str, subject: ast.expr, options: list[ast.keyword]) -> dict[str, Any]:
    value = ast.literal_eval(subject)
    by_id = _BY_ID.fullmatch(value) if method == "locator" else None
    return {_KEYS[method]: f"#{by_id[1]}" if by_id else value, **_options(options)}


def _options(options: list[ast.keyword]) -> dict[str, Any]:
    found = {str(option.arg): ast.literal_eval(option.value) for option in options}
    if unknown := found.keys() - set(_OPTIONS):
        raise LookupError(unknown)
    return found


def _flow(value: Any) -> str:
    """Return a value as YAML in one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML:
        return value.strip() if value == value.strip() else json.dumps(value)
    return json.dumps(value, ensure_ascii=False)
