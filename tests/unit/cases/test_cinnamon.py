"""Case documents of Cinnamon-QA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qa_queue.cases.actions import Click, Fill, Goto
from qa_queue.cases.model import Target
from qa_queue.cases.reader import load_file, parse_case
from qa_queue.errors import CaseError
from tests.unit.cases.support import assertion, file_problems


def cinnamon(*steps: dict[str, Any], **overrides: Any) -> dict[str, Any]:
    """A case of the old form, its steps numbered."""
    numbered = [{"stepNumber": number} | step for number, step in enumerate(steps, 1)]
    return {
        "title": "Sign in",
        "description": "As Ann",
        "url": "http://shop.example",
        "steps": numbered,
    } | overrides


def test_each_old_action_has_its_new_one():
    """The four actions and the two keys of the case are put into this format's words."""
    made = parse_case(
        cinnamon(
            {"action": "navigate", "value": "/login"},
            {"action": "type", "selector": "#user", "value": "ann"},
            {"action": "click", "selector": "#go", "expectedResult": "The home page opens"},
            {"action": "assert", "selector": "h1", "value": "Welcome"},
            {"action": "assert", "selector": "h1"},
            {"action": "assert", "value": "Ann"},
        ),
        source="old.json",
    )

    assert (made.name, made.base_url) == ("Sign in", "http://shop.example")
    assert [step.args for step in made.steps] == [
        Goto(url="/login"),
        Fill(target=Target(selector="#user"), value="ann"),
        Click(target=Target(selector="#go")),
        assertion(target=Target(selector="h1"), contains_text="Welcome"),
        assertion(target=Target(selector="h1"), visible=True),
        assertion(target=Target(text="Ann"), visible=True),
    ]
    assert made.steps[2].name == "The home page opens"


def test_what_nothing_checks_is_a_warning(tmp_path: Path):
    """The expected result is prose; a reader should know that it asserts nothing."""
    path = tmp_path / "old.json"
    path.write_text(json.dumps(cinnamon({"action": "navigate", "value": "/", "expectedResult": "It opens"})))

    assert load_file(path).warnings == (
        "step 1 (navigate): expectedResult is kept as the step's name; nothing checks it",
    )


def test_mistakes_keep_their_lines(tmp_path: Path):
    """A step keeps its index, so messages find its line."""
    path = tmp_path / "old.json"
    path.write_text(
        json.dumps(
            cinnamon(
                {"action": "clik", "selector": "#go"},
                {"action": "click", "selctor": "#go", "stepNumber": 7},
                {"action": "type", "selector": "#go", "stepNumber": 2},
            )
        ).replace('{"stepNumber"', '\n{"stepNumber"')
    )

    assert file_problems(path) == [
        "old.json:1: steps: stepNumber goes 1, 7, 2: put the steps in their order",
        "old.json:2: steps[0].action: unknown action 'clik'; did you mean 'click'?",
        "old.json:3: steps[1].selctor: unknown key 'selctor'; did you mean 'selector'?",
        "old.json:3: steps[1]: 'selector' is missing",
        "old.json:4: steps[2]: 'value' is missing",
    ]


def test_a_mixture_of_old_and_new_steps_is_refused():
    """A document has one form."""
    with pytest.raises(CaseError, match="unknown action 'action'"):
        parse_case(cinnamon({"action": "click", "selector": "#go"}, {"click": "#go"}), source="old.json")
