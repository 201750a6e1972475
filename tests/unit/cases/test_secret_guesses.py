"""Secrets stand only where the outcome of a step does not tell them letter by letter."""

from __future__ import annotations

from typing import Any

import pytest

from qa_queue.cases.reader import parse_case
from qa_queue.cases.secret_guesses import guesses

SECRET = "${secret.PIN}"


def places(*steps: dict[str, Any]) -> list[str]:
    document = {"version": 1, "name": "a", "base_url": "http://shop.example", "steps": [*steps]}
    return list(guesses(parse_case(document, source="the test")))


@pytest.mark.parametrize(
    "step",
    [
        {"fill": {"label": "PIN", "value": SECRET}},
        {"type": {"label": "PIN", "value": f"a{SECRET}"}},
        {"request": {"post": "/login", "json": {"pin": SECRET}, "auth": {"user": "a", "password": SECRET}}},
        {"expect": {"target": "#f", "value": SECRET}},
        {"expect": {"target": "#f", "not": True, "contains_text": SECRET}},
        {"expect": {"target": "#f", "attribute": {"title": SECRET}}},
        {"click": {"text": "${env.PIN}"}, "if": {"value": "${env.PIN}", "equals": "1"}},
    ],
)
def test_what_is_filled_in_sent_or_compared_whole_stays(step: dict[str, Any]) -> None:
    """The worker checks the host of each."""
    assert places(step) == []


@pytest.mark.parametrize(
    "step",
    [
        {"click": "#a", "if": {"visible": {"text": SECRET}}},
        {"click": "#a", "if": {"all": [{"not": {"any": [{"value": SECRET, "empty": True}]}}]}},
        {"if": {"value": "a", "equals": SECRET}, "then": [{"click": "#a"}]},
        {"repeat": {"until": {"value": SECRET, "length": 1}, "steps": [{"click": "#a"}]}},
        {"click": {"css": f"[x^='{SECRET}']", "within": "#a"}},
        {"fill": {"selector": f"xpath=//*[contains('{SECRET}', 'a')]", "value": "b"}},
        {"click": {"css": "#a", "fallbacks": [{"text": SECRET}]}},
        {"expect": {"target": "#f", "value": f"/^{SECRET}/"}},
        {"expect": {"target": "#f", "text": {"matches": f"^{SECRET}"}}},
        {"expect": {"url": f"**/{SECRET}"}},
        {"expect": {"title": SECRET}},
        {"expect": {"response": {"url": {"matches": SECRET}}}},
    ],
)
def test_what_tells_a_secret_is_found(step: dict[str, Any]) -> None:
    """Wherever it stands in the step."""
    (place,) = places(step)
    assert place.startswith("steps[0]")
    assert place.endswith(f": {SECRET}")


def test_a_secret_parameter_of_a_flow_is_a_secret() -> None:
    """Its flow is looked at as the case is."""
    flow = {
        "flow": "login",
        "params": {"pin": {"secret": True}, "name": {}},
        "steps": [
            {"fill": {"label": "PIN", "value": "${param.pin}"}},
            {"click": "#a", "if": {"value": "${param.name}", "equals": "a"}},
            {"click": "#a", "if": {"value": "${param.pin}", "matches": "^1"}},
        ],
    }
    case = parse_case(
        {
            "version": 1,
            "name": "a",
            "steps": [{"use": {"flow": "login", "with": {"pin": SECRET, "name": "b"}}}],
            "flows": {"login": flow},
        },
        source="the test",
    )
    assert list(guesses(case)) == ["flows.login.steps[2]: ${param.pin}"]
