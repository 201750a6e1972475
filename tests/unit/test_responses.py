"""Parts of responses, expectations on them, and what messages show of them."""

from __future__ import annotations

from typing import Any

import pytest

from processors.browser.failures import StepFailedError
from processors.browser.responses import HttpResponse, excerpt, has_status, mask_confidential, shown_url, verify
from qa_queue.cases.actions import Request


def response(body: str = "{}", status: int = 200, **headers: str) -> HttpResponse:
    return HttpResponse(
        method="GET", url="http://a.example/x", status=status, headers=headers, body=body.encode("utf-8")
    )


def message(args: dict[str, Any], found: HttpResponse) -> str:
    with pytest.raises(StepFailedError) as failed:
        verify(Request.model_validate({"get": "/x", **args}), found)
    return str(failed.value)


@pytest.mark.parametrize(
    ("wanted", "status", "holds"),
    [(("2xx",), 204, True), (("2xx",), 301, False), (("201", "409"), 409, True), (("201",), 200, False)],
)
def test_a_status_is_a_code_or_a_class(wanted: tuple[str, ...], status: int, holds: bool) -> None:
    assert has_status(wanted, status) is holds


def test_every_difference_is_named() -> None:
    """One run shows all that is wrong with a response."""
    text = message({"expect": {"$.a": 1, "$.b": "x"}}, response('{"a": 2, "b": "y"}'))
    assert text.startswith('GET http://a.example/x: expected $.a 1, got 2; expected $.b "x", got "y"; body: ')


def test_true_is_not_the_number_one() -> None:
    """As Python would have it."""
    assert "expected $.a 1, got true" in message({"expect": {"$.a": 1}}, response('{"a": true}'))


def test_a_part_that_is_missing_is_named() -> None:
    assert "no header 'Location'" in message({"expect": {"headers.Location": "/"}}, response())
    assert "no JSON for $.a (no content type)" in message({"expect": {"$.a": 1}}, response("<p>"))


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"token": "abc", "n": 1}', 'body: {"token": ***, "n": 1}'),
        ('{"accessToken": "a\\"b", "user": "Ann"}', 'body: {"accessToken": ***, "user": "Ann"}'),
        ("password=espresso&user=Ann", "body: password=***&user=Ann"),
        ("sent Bearer abc.def-1 along", "body: sent *** along"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "body: ***"),
        ("", "the body is empty"),
        ("x" * 500, f"body: {'x' * 299}…"),
    ],
)
def test_an_excerpt_shows_no_credentials(body: str, shown: str) -> None:
    """They are recognized by their names and forms; values of QA_SECRET_ variables are masked in every message."""
    assert excerpt(response(body)) == shown


def test_differences_show_no_credentials() -> None:
    """A wrong token is as confidential as the right one."""
    text = message({"expect": {"$.token": "wanted-token"}}, response('{"token": "found-token"}'))
    assert "expected $.token ***, got ***" in text
    assert "-token" not in text


def test_a_url_is_shown_without_login_and_credentials() -> None:
    shown = shown_url("http://ann:espresso@a.example/x?api_key=abc&page=2")
    assert shown == "http://a.example/x?api_key=***&page=2"


def test_ordinary_words_stay() -> None:
    assert mask_confidential("the tokens of the author: 3 passes") == "the tokens of the author: 3 passes"
