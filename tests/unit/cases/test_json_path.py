"""Paths into JSON documents."""

from __future__ import annotations

from typing import Any

import pytest

from qa_queue.cases.json_path import NotInDocumentError, check_path, value_at

DOCUMENT = {"items": [{"id": 1, "name": "Espresso"}, {"id": 2, "name": "Latte"}], "a b": {"c": None}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", DOCUMENT),
        ("$.items[0].id", 1),
        ("$.items[-1].name", "Latte"),
        ("$['a b'].c", None),
        ("$.items[*].id", [1, 2]),
        ("$..name", ["Espresso", "Latte"]),
        ("$.items[?@.name == 'Latte'].id", [2]),
        ("$.items[?length(@.name) > 6].id", [1]),
        ("$.none[*]", []),
    ],
)
def test_a_path_gives_its_value(path: str, value: Any) -> None:
    """One value of a path to one place, else a list."""
    assert value_at(path, DOCUMENT) == value


def test_a_place_that_is_missing_is_an_error() -> None:
    """It differs from a place that holds null."""
    with pytest.raises(NotInDocumentError):
        value_at("$.items[7].id", DOCUMENT)


@pytest.mark.parametrize("path", ["items", "$.items[", "$.", "$..[?match(@.a, '(a+)+$')]", "$[?search(@.a, 'b')]"])
def test_what_is_not_a_path_is_refused(path: str) -> None:
    """Neither may a path hold a regular expression, which could take forever."""
    with pytest.raises(ValueError, match="is not a JSONPath"):
        check_path(path)


def test_a_path_with_a_reference_is_read_in_the_run() -> None:
    """Its value is not known before."""
    assert check_path("$.items[${var.n}]") == "$.items[${var.n}]"
