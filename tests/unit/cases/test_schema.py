"""The published schema and the parser agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from qa_queue.cases.reader import parse_case
from qa_queue.cases.schema import case_schema, schema_text
from qa_queue.cases.schema_sharing import shared
from qa_queue.cases.yaml_source import read_yaml
from qa_queue.errors import CaseError
from tests.unit.cases.support import document, validator

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "reference").glob("*/*.yaml"))

GOOD_STEPS: list[Any] = [
    {"goto": "/"},
    {"goto": {"url": "/"}, "timeout": "1.5s"},
    {"click": "#go", "timeout": 500, "screenshot": True},
    {"click": {"target": {"role": "button", "name": "Go", "exact": True, "fallbacks": ["#go", {"css": "#go"}]}}},
    {"click": {"css": "#go"}},
    {"click": {"role": "button", "name": "Go", "button": "right"}},
    {"fill": {"label": "Email", "value": "x"}},
    {"press": {"label": "Search", "key": "Enter"}},
    {"select": {"css": "#a", "value": "x"}},
    {"wait_for": {"test_id": "list", "state": "hidden"}},
    {"reload": True},
    {"reload": None},
    {"clear": "#a"},
    {"expect": {"test_id": "total", "text": "5"}},
    {"expect": {"visible": {"text": "Welcome"}}},
    {"click": {"target": {"name": "Go"}, "button": "right", "position": [1, 2.5]}},
    {"dblclick": {"target": {"css": "a", "within": {"role": "row", "has_text": "x"}, "frame": "iframe"}}},
    {"hover": {"target": {"css": "a", "nth": -1, "visible": True}}},
    {"check": {"target": {"css": "a", "last": True}}},
    {"uncheck": "#a"},
    {"fill": {"target": {"label": "Email"}, "value": ""}},
    {"type": {"target": {"placeholder": "Email"}, "value": "x"}},
    {"press": "Enter"},
    {"press": {"key": "Enter", "target": "#a"}},
    {"select": {"target": "#a", "values": ["x", "y"]}},
    {"upload": {"target": "#a", "files": "a.txt"}},
    {"upload": {"target": "#a", "files": ["a.txt", "b.txt"]}},
    {"wait_for": "#a"},
    {"wait_for": {"target": "#a", "state": "detached"}},
    {"wait_for": {"load_state": "networkidle"}},
    {"screenshot": None},
    {"screenshot": "cart"},
    {"screenshot": {"name": "cart", "full_page": True}},
    {"set_viewport": "400x800"},
    {"goto": {"url": "/", "wait_until": "commit", "referer": "/list"}},
    {"back": True},
    {"new_page": None},
    {"new_page": "/list"},
    {"switch_page": "newest"},
    {"switch_page": {"url": "**/receipt"}},
    {"dialog": "accept"},
    {"dialog": {"answer": "dismiss", "message": "Delete?", "type": "confirm"}},
    {"cookies": "clear"},
    {"cookies": {"set": {"theme": "dark"}}},
    {"cookies": {"set": [{"name": "theme", "value": "dark", "expires_in": "1h"}]}},
    {"local_storage": {"remove": ["a", "b"]}},
    {"headers": {}},
    {"headers": {"X-Branch": "main"}},
    {"permissions": ["geolocation"]},
    {"permissions": "clear"},
    {"permissions": {"grant": ["camera"], "origin": "https://a.example"}},
    {"geolocation": {"latitude": 52, "longitude": 13.4}},
    {"clock": "resume"},
    {"clock": {"install": "2030-01-31T09:00"}},
    {"clock": {"fast_forward": "2d"}},
    {"offline": False},
    {"set_viewport": {"width": 400, "height": 800}},
    {"expect": {"target": "#a", "visible": False}},
    {"expect": {"target": "#a", "to_contain_text": "x", "not": True}, "soft": True},
    {"expect": {"to_have_url": "**/home"}},
    {"expect": {"url": {"matches": "home$"}}},
    {"expect": {"css": "li", "count": {"at_least": 1}}},
    {"expect": {"css": "li", "text": ["a", "/b/i"], "ignore_case": True}},
    {"expect": {"target": "#a", "role": "button"}},
    {"expect": {"target": "#a", "css": {"color": "red"}, "pseudo": "after"}},
    {"expect": {"css": "#a", "to_have_role": "button"}},
    {"expect": {"role": "button", "name": "Go", "attribute": "disabled"}},
    {"expect": {"role": "button", "attribute": {"href": "/"}}},
    {"expect": {"css": "a", "class": "b"}},
    {"expect": {"css": "a", "property": {"checked": True}}},
    {"expect": {"aria_snapshot": "- heading"}},
    {"expect": {"css": "a", "aria_snapshot": "- heading"}},
    {"expect": {"in_viewport": {"css": "a"}, "ratio": 0.5}},
    {"click": {"css": "a", "has": {"css": "b"}, "and": {"text": "c"}, "or": "#d"}},
    {"click": {"role": "tab", "selected": True, "include_hidden": True}},
    {"right_click": "#a"},
    {"tap": {"css": "a", "position": [1, 2], "modifiers": ["Shift"], "force": True}},
    {"click": {"css": "a", "delay": "100ms", "click_count": 3}},
    {"select": {"label": "Size", "value": "x"}},
    {"select": {"label": "Size", "within": "form", "index": 1}},
    {"select": {"css": "#size", "label": "Large"}},
    {"click": {"role": "button", "name": {"matches": "^Go", "ignore_case": True}}},
    {"expect": {"css": "a", "text": {"matches": "^Go"}}},
    {"expect": {"css": "a", "text": ["Go", {"matches": "o$"}]}},
    {"expect": {"css": "a", "text": "Go", "soft": True}},
    {"check": {"value": "${uuid}", "equals": "x", "soft": True}},
    {"expect": {"css": "a", "property": {"dataset": {"a": [1]}}}},
    {"wait_for": {"url": {"matches": "/home$"}}},
    {"switch_page": {"url": {"matches": "/home$"}}},
    {"dialog": {"answer": "accept", "message": {"matches": "^Delete"}}},
    {"wait_for": {"response": "**/api", "steps": [{"click": "#a"}]}, "save_as": "answer"},
    {"click": "#a", "if": {"expect": {"visible": "#b"}}},
    {"click": "#a", "if": {"check": {"value": "${uuid}", "empty": True}}},
    {"expect": {"accessibility": True}},
    {"expect": {"css": "a", "accessibility": {"tags": "wcag2a", "impact": "serious", "exclude": ["#b"]}}},
]
BAD_STEPS: list[Any] = [
    {},
    "click",
    {"clik": "#go"},
    {"drag": "#go"},
    {"fill": "#go"},
    {"goto": 5},
    {"goto": "/", "click": "#go"},
    {"goto": "/", "tiemout": 1},
    {"goto": "/", "timeout": "5 parsecs"},
    {"goto": "/", "timeout": 0},
    {"goto": "/", "screenshot": "cart"},
    {"click": {"target": {}}},
    {"click": {"target": {"css": "a", "text": "b"}}},
    {"click": {"target": {"role": "a", "label": "b"}}},
    {"click": {"target": {"css": "a", "level": 1}}},
    {"click": {"target": {"css": "a", "first": True, "last": True}}},
    {"click": {"target": "#a", "position": [1]}},
    {"fill": {"target": "#a"}},
    {"fill": {"label": "Email"}},
    {"click": {"css": "#a", "text": "b"}},
    {"click": {"css": "#a", "target": "#b"}},
    {"click": {"button": "right"}},
    {"press": {"label": "Search"}},
    {"wait_for": {"css": "#a", "url": "x"}},
    {"reload": False},
    {"goto": {"url": "/", "wait_until": "never"}},
    {"switch_page": True},
    {"switch_page": {"title": "a", "url": "b"}},
    {"switch_page": {"newest": False}},
    {"dialog": True},
    {"dialog": {"answer": "maybe"}},
    {"dialog": {"message": "a"}},
    {"cookies": {"set": {"a": 1}}},
    {"cookies": {"set": [{"name": "a"}]}},
    {"cookies": {"set": {"a": "b"}, "clear": True}},
    {"local_storage": True},
    {"headers": {"X-Branch": 5}},
    {"permissions": ["everything"]},
    {"geolocation": {"latitude": 91, "longitude": 0}},
    {"clock": {"fast_forward": "5 parsecs"}},
    {"offline": "yes"},
    {"reload": "now"},
    {"reload": {"hard": True}},
    {"expect": {"text": "5"}},
    {"expect": {"css": "#a", "text": "5", "visible": True}},
    {"expect": {"target": "#a", "visible": {"text": "Welcome"}}},
    {"expect": {"tex": "5"}},
    {"fill": {"target": "#a", "value": 7}},
    {"select": {"target": "#a"}},
    {"select": {"target": "#a", "value": "x", "label": "y"}},
    {"upload": {"target": "#a", "files": []}},
    {"wait_for": {"state": "visible"}},
    {"wait_for": {"target": "#a", "url": "x"}},
    {"set_viewport": "big"},
    {"set_viewport": "0x10"},
    {"expect": {"target": "#a"}},
    {"expect": {"visible": True}},
    {"expect": {"target": "#a", "url": "x"}},
    {"expect": {"target": "#a", "visible": True, "to_be_visible": True}},
    {"expect": {"role": "button"}},
    {"expect": {"target": "#a", "role": "button", "visible": True}},
    {"expect": {"css": {"color": "red"}}},
    {"expect": {"css": "a", "attribute": {"a": "b", "c": "d"}}},
    {"expect": {"css": "a", "attribute": {"a": 5}}},
    {"expect": {"css": "li", "count": {"above": 1}}},
    {"expect": {"css": "li", "text": []}},
    {"expect": {"css": "li", "value": ["a"]}},
    {"click": {"css": "a", "selected": True}},
    {"click": {"css": "a", "modifiers": ["Hyper"]}},
    {"click": {"css": "a", "click_count": 0}},
    {"select": {"label": "Size"}},
    {"select": {"label": "Size", "value": "x", "index": 1}},
    {"expect": {"css": "a", "text": {"matches": 5}}},
    {"expect": {"css": "a", "text": {"contains": "x"}}},
    {"wait_for": {"steps": [{"click": "#a"}]}},
    {"wait_for": {"url": "**/a", "steps": [{"click": "#a"}]}},
    {"expect": {"accessibility": "yes"}},
    {"expect": {"accessibility": {"tags": "wcag2a", "rules": "label"}}},
]
GOOD_CASES = [
    {"version": 1, "tags": ["a"], "retries": 1, "timeout": "60s", "trace": "off", "heal": "off", "id": "x"},
    {"use": {"browser": "chromium", "device": None, "viewport": "1280x720", "storage_state": None}},
    {"use": {"storage_state": "ann"}, "logins": {"ann": [{"goto": "/signin"}], "bob": {"steps": [{"goto": "/"}]}}},
    {"steps": [{"expect": {"css": "li", "count": "${var.rows}"}}]},
    {"base_url": "${env.BASE_URL:-http://127.0.0.1:8080}", "vars": {"user": "ann", "ages": [7]}},
]
BAD_CASES = [
    {"version": 2},
    {"name": ""},
    {"name": 5},
    {"steps": []},
    {"colour": "red"},
    {"retries": 11},
    {"tags": "a"},
    {"trace": "always"},
    {"use": {"browser": "opera"}},
    {"use": {"storage_state": "a.json"}},
    {"logins": {"a.json": [{"goto": "/"}]}},
    {"logins": {"ann": {"valid_if": [{"goto": "/"}]}}},
    {"vars": {"a b": "x"}},
]


def accepts(candidate: Any) -> bool:
    """Tell whether the parser accepts the document."""
    try:
        parse_case(candidate, source="case.yaml")
    except CaseError:
        return False
    return True


@pytest.mark.parametrize("step", GOOD_STEPS, ids=json.dumps)
def test_good_steps_pass_both(step: Any):
    """Editors do not underline a document that the parser reads."""
    validator().validate(document(step))
    assert accepts(document(step))


@pytest.mark.parametrize("step", BAD_STEPS, ids=json.dumps)
def test_bad_steps_fail_both(step: Any):
    """Editors underline a document that the parser refuses."""
    assert not validator().is_valid(document(step))
    assert not accepts(document(step))


@pytest.mark.parametrize("overrides", GOOD_CASES, ids=json.dumps)
def test_good_cases_pass_both(overrides: dict[str, Any]):
    """The keys of a case, as those of a step."""
    validator().validate(document(**overrides))
    assert accepts(document(**overrides))


@pytest.mark.parametrize("overrides", BAD_CASES, ids=json.dumps)
def test_bad_cases_fail_both(overrides: dict[str, Any]):
    """The keys of a case, as those of a step."""
    assert not validator().is_valid(document(**overrides))
    assert not accepts(document(**overrides))


def test_a_suite_is_a_file_too():
    """A file holds a case or a suite, never both."""
    suite = {"suite": "Shop", "tags": ["a"], "cases": [document()]}

    validator().validate(suite)
    assert not validator().is_valid({"suite": "Shop"})
    assert not validator().is_valid(suite | {"steps": [{"goto": "/"}]})


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_the_examples_pass(file: Path):
    """Editors do not underline what people copy from the reference."""
    document, _, problems = read_yaml(file.read_text(encoding="utf-8"), file.name)
    steps = [step for one in document.get("cases", [document]) for step in one["steps"]]

    assert not problems
    assert [step for step in steps if not validator().is_valid({"name": "x", "steps": [step]})] == []


def test_the_schema_itself_is_valid():
    """Draft 2020-12, without a reference that leads nowhere."""
    Draft202012Validator.check_schema(case_schema())
    text = json.dumps(case_schema())
    names = {part.split('"')[0] for part in text.split("#/$defs/")[1:]}

    assert names <= case_schema()["$defs"].keys()


def test_every_key_has_a_description():
    """Editors show it beside the completion."""
    definitions = case_schema()["$defs"]
    undescribed = [
        f"{name}.{key}"
        for name, part in definitions.items()
        for key, value in part.get("properties", {}).items()
        if not (value.get("description") or definitions[value["$ref"].rpartition("/")[2]].get("description"))
    ]

    assert undescribed == []


def test_equal_parts_are_written_once():
    """The file of the starter is small, and says the same as with every part in its place."""
    assert len(schema_text()) < 300_000
    text: dict[str, Any] = {"type": "string", "minLength": 1, "description": "A text that several keys share."}
    names: dict[str, Any] = {"type": "array", "items": text, "description": "Several of these texts."}
    plain: dict[str, Any] = {"$defs": {"own": text}, "properties": {"a": text, "b": names, "c": names}}

    assert shared(plain) == {
        "$defs": {
            "own": text,
            "shared-1": text,
            "shared-2": {**names, "items": {"$ref": "#/$defs/shared-1"}},
        },
        "properties": {
            "a": {"$ref": "#/$defs/shared-1"},
            "b": {"$ref": "#/$defs/shared-2"},
            "c": {"$ref": "#/$defs/shared-2"},
        },
    }


def test_values_that_look_like_schemas_stay():
    """Examples and constants are not parts of a schema."""
    value = {"type": "string", "description": "A constant that happens to look like a schema, twice."}
    plain: dict[str, Any] = {"properties": {"a": {"const": value}, "b": {"const": value, "title": "b"}}}

    assert shared(plain) == plain | {"$defs": {}}
