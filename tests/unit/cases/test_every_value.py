"""Every kind of value: what it stands for, and the message where it cannot be used."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from qa_queue.cases.generated import GENERATED, RANDOM, Seed
from qa_queue.cases.references import KINDS
from qa_queue.cases.values import Scope, check_references, resolve
from qa_queue.errors import CaseError
from tests.unit.cases.support import case

SCOPE = Scope(
    env={"HOST": "shop.example"},
    variables={"order": {"items": ["Tea"]}},
    secrets={"PIN": "1234"},
    data={"user": "ann"},
    params={"tea": "Earl Grey"},
    run={"id": "r-1", "attempt": 2},
    generator=Seed("5eed", datetime(2026, 1, 30, 9, 5, 7, tzinfo=UTC)).generator(1),
)
# word, a text that uses it, the pattern of its value, a text that is wrong, the message
TABLE: list[tuple[str, str, str, str, str]] = [
    ("env", "${env.HOST}", "shop.example", "${env.PORT}", "${env.PORT} has no value; known are HOST"),
    ("var", "${var.order.items[0]}", "Tea", "${var.total}", "${var.total} has no value: add it under 'vars'"),
    ("data", "${data.user}", "ann", "${data.usr}", "${data.usr} has no value; did you mean 'user'?"),
    ("param", "${param.tea}", "Earl Grey", "${param.cup}", "${param.cup} has no value: add it under 'params'"),
    ("secret", "${secret.PIN}", "1234", "${secret.PIN2}", "${secret.PIN2} has no value: set QA_SECRET_PIN2"),
    ("run", "${run.id}/${run.attempt}", "r-1/2", "${run.name}", "a run has ${run.id} and ${run.attempt}"),
    ("uuid", "${uuid}", r"[0-9a-f-]{36}", "${uuid:4}", "${uuid:4} is not a value: write ${uuid}, ${now}"),
    ("now", "${now:+1d:date}", "2026-01-31", "${now:noon}", "has 'noon', which is neither an offset nor a format"),
    ("random.int", "${random.int:3:3}", "3", "${random.int:3}", "needs the least and the greatest number"),
    (
        "random.email",
        "${random.email}",
        r"\w+\.\w+@example\.com",
        "${random.mail}",
        "${random.mail} is not a value",
    ),
    ("random.word", "${random.word}", "[a-z]{6,7}", "${random.word:5}", "${random.word:5} is not a value"),
]
FOUND_BY_THE_WORKER = ("secret",)


def test_every_value_is_in_the_table() -> None:
    """A value without a row would have no asserted message."""
    plain = [*KINDS, *(kind for kind in GENERATED if kind != "random")]
    assert [row[0] for row in TABLE] == [*plain, *(f"random.{name}" for name in RANDOM)]


@pytest.mark.parametrize(("word", "text", "value", "wrong", "message"), TABLE)
def test_a_value(word: str, text: str, value: str, wrong: str, message: str) -> None:
    """A wrong one is an error before the browser starts; only the worker knows whether a secret is missing."""
    assert re.fullmatch(value, resolve(text, SCOPE)), word
    fill: dict[str, Any] = {"fill": {"target": "#a", "value": wrong}}
    made = case(fill, data=[{"user": "ann"}])
    problems = check_references(made, ["HOST"])
    if word in FOUND_BY_THE_WORKER:
        assert problems == ()
        with pytest.raises(CaseError, match=re.escape(message)):
            resolve(wrong, SCOPE)
    else:
        assert any(message in problem for problem in problems), problems
