"""A step of a file gets another target, and nothing else changes."""

from __future__ import annotations

import json

import pytest

from qa_queue.cases.model import Target
from qa_queue.cases.retarget import retarget
from tests.support.steps import expect, on

BUY = on("click", "#buy")
NEW = Target(role="button", name='Buy "now"', exact=True)
SAID = '{"role": "button", "name": "Buy \\"now\\"", "exact": true}'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('- click: {target: {css: "#buy"}}  # pay', f"- click: {{target: {SAID}}}  # pay"),
        ("- click: {css: '#buy'}  # pay", f"- click: {SAID}  # pay"),
        ("- click: '#buy'", f'- click: {{"target": {SAID}}}'),
        (
            "- click:\n    target:\n      css: '#buy'\n  soft: true",
            f"- click:\n    target:\n      {SAID}\n  soft: true",
        ),
    ],
    ids=["flow", "spread", "bare", "block"],
)
def test_yaml_keeps_every_other_character(before: str, after: str) -> None:
    """Comments, quotes and order stay as people wrote them."""
    head = "# my case\nname:   Order\nsteps:\n- goto: /\n"
    assert (
        retarget(f"{head}{before}\n", case="Order", path=("steps", 1), step=BUY, target=NEW) == f"{head}{after}\n"
    )


def test_a_target_beside_other_keys_is_replaced_with_them() -> None:
    """The keys of the old element go, the others stay."""
    text = "name: Order\nsteps:\n- fill: {css: '#email', value: ann}\n- expect: {css: '#buy', text: Buy}\n"
    email, buy = on("fill", "#email", value="ann"), expect("#buy", text="Buy")
    changed = retarget(text, case="Order", path=("steps", 0), step=email, target=Target(label="Email"))
    assert changed is not None
    assert '- fill: {"target": {"label": "Email"}, "value": "ann"}' in changed
    changed = retarget(text, case="Order", path=("steps", 1), step=buy, target=Target(test_id="buy"))
    assert changed is not None
    assert '"target": {"test_id": "buy"}' in changed


def test_json_is_patched_too() -> None:
    """JSON is YAML."""
    text = json.dumps({"name": "Order", "steps": [{"click": {"target": {"css": "#buy"}}}]})
    changed = retarget(text, case="Order", path=("steps", 0), step=BUY, target=NEW)
    assert changed is not None
    assert json.loads(changed)["steps"][0]["click"]["target"]["name"] == 'Buy "now"'


def test_the_case_of_a_suite_is_found_by_its_id() -> None:
    """Only that one changes."""
    text = "cases:\n- {name: A, steps: [{click: '#buy'}]}\n- {id: b, name: B, steps: [{click: '#buy'}]}\n"
    changed = retarget(text, case="b", path=("steps", 0), step=BUY, target=Target(css="#new"))
    assert changed == text.replace(
        "B, steps: [{click: '#buy'}]", 'B, steps: [{click: {"target": {"css": "#new"}}}]'
    )


@pytest.mark.parametrize(
    "text",
    ["name: Other\nsteps: [{click: '#buy'}]", "name: Order\nsteps: []", "a: [", "name: Order\nsteps: [{goto: /}]"],
)
def test_what_is_not_there_is_left_alone(text: str) -> None:
    """Another case, no such step, no YAML, another action."""
    assert retarget(text, case="Order", path=("steps", 0), step=BUY, target=NEW) is None


def test_a_step_inside_a_block_is_found() -> None:
    """The path leads through blocks, branches and the steps before the case."""
    text = "name: Order\nbefore:\n- {click: '#buy'}\nsteps:\n- if: {title: A}\n  else:\n  - click: '#buy'\n"
    changed = retarget(text, case="Order", path=("steps", 0, "else", 0), step=BUY, target=Target(css="#new"))
    assert changed == text.replace("  - click: '#buy'", '  - click: {"target": {"css": "#new"}}')
    changed = retarget(text, case="Order", path=("before", 0), step=BUY, target=Target(css="#new"))
    assert changed == text.replace("- {click: '#buy'}", '- {click: {"target": {"css": "#new"}}}')
