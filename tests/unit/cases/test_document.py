"""Writing cases: back into documents and YAML that read as the same case."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from qa_queue.cases.exporters.document import case_document, step_document
from qa_queue.cases.exporters.yaml import dump_yaml
from qa_queue.cases.model import Case
from qa_queue.cases.reader import load_cases, parse_case
from qa_queue.cases.steps import Step
from qa_queue.cases.traversal import rewrite
from qa_queue.cases.vocabulary import duration_text, key_of
from qa_queue.cases.yaml_source import read_yaml
from qa_queue.errors import CaseError
from tests.unit.cases.strategies import cases
from tests.unit.cases.support import case, validator

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
EXAMPLES = Path(__file__).parents[3] / "examples" / "reference"
many = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink nested targets takes minutes
)


def _writable(step: Step) -> Step:
    """The step without the fields that a document may not give it."""
    unused = [name for name in Step.model_fields if key_of(Step, name) in step.args.unused_fields]
    return step.model_copy(update={name: Step.model_fields[name].default for name in unused})


writable = cases.map(
    lambda made: made.model_copy(update={name: rewrite(steps, _writable) for name, steps in made.sequences()})
)


@many
@given(writable)
def test_a_case_survives_its_document_and_its_yaml(made: Case):
    """Through JSON and YAML and back it is the same case, whatever its texts hold, and the schema accepts it."""
    written = json.loads(json.dumps(case_document(made)))
    document, _, problems = read_yaml(dump_yaml(made), "case.yaml")

    assert parse_case(written, source="case.json") == made
    validator().validate(written)
    assert problems == []
    assert parse_case(document, source="case.yaml") == made


@pytest.mark.parametrize(
    "text", ["\x85", "a\x85b", " \x85 ", "\u2028", "\ufeff", "\x7f", "\n", "\t", "? a", "", "x" * 200 + "\x85"]
)
def test_a_key_of_any_characters_survives_its_yaml(text: str):
    """In one line and in several, at any depth."""
    values = {text: text, "long": {text: ["v" * 90], "k" * 90: {text: text}}}
    made = case({"set": {"a": values}}, {"request": {"post": "/", "json": [values, {text: [{text: 1}]}]}})

    document, _, problems = read_yaml(dump_yaml(made), "case.yaml")

    assert problems == []
    assert parse_case(document, source="case.yaml") == made


def test_documents_are_short():
    """Default values are left out, and short forms are used."""
    made = case(
        {"goto": {"url": "/"}},
        {"click": {"target": {"selector": "#go"}, "button": "left"}, "timeout": 1500, "soft": False},
        {"screenshot": {}},
        {"press": {"key": "Enter"}},
        {"dblclick": {"target": {"role": "row", "nth": 1}}},
        {"fill": {"target": {"label": "Email"}, "value": "x"}},
        {"expect": {"target": "#x", "to_be_visible": True, "not": True}, "timeout": "1m"},
        use={"viewport": "400x800"},
    )

    assert case_document(made) == {
        "version": 1,
        "name": "Sign in",
        "use": {"viewport": "400x800"},
        "steps": [
            {"goto": "/"},
            {"click": "#go", "timeout": "1500ms"},
            {"screenshot": True},
            {"press": "Enter"},
            {"dblclick": {"role": "row", "nth": 1}},
            {"fill": {"target": {"label": "Email"}, "value": "x"}},
            {"expect": {"target": "#x", "not": True, "visible": True}, "timeout": "60s"},
        ],
    }


def test_yaml_is_tidy():
    """Short mappings stand in one line, long ones do not"""
    made = case(
        {"goto": "/"},
        {
            "click": {"target": {"role": "button", "name": "Sign in", "fallbacks": [{"css": "#go"}]}},
            "timeout": "2s",
        },
        {"fill": {"target": {"label": "x" * 60}, "value": "y" * 60}},
        tags=["smoke"],
        notes=["step 1 (scroll): not carried over"],
    )

    assert dump_yaml(made) == (
        "version: 1\n"
        "name: Sign in\n"
        "tags: [smoke]\n"
        'notes: ["step 1 (scroll): not carried over"]\n'
        "\n"
        "steps:\n"
        "- goto: /\n"
        '- click: {role: button, name: Sign in, fallbacks: [{css: "#go"}]}\n'
        "  timeout: 2s\n"
        "- fill:\n"
        f"    target: {{label: {'x' * 60}}}\n"
        f"    value: {'y' * 60}\n"
    )


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(1, "1ms"), (1_000, "1s"), (1_500, "1500ms"), (60_000, "60s"), (90_000, "90s")]
)
def test_durations_are_written_as_people_write_them(milliseconds: int, text: str):
    """Whole seconds as seconds, all else as milliseconds."""
    assert duration_text(milliseconds) == text


def _deferred_variants() -> Iterator[Case]:
    """Every action with each of its arguments in turn as a value of the run, where that is possible."""
    files = sorted(EXAMPLES.glob("actions/*.yaml"))
    steps = [step for file in files for made in load_cases(file) for _, step in made.steps_by_path()]
    documents = {str(step_document(step)): (step.action, step_document(step)) for step in steps}
    done: set[tuple[str, str]] = set()
    for action, written in documents.values():
        arguments = written.get(action)
        for key in arguments if isinstance(arguments, dict) else ():
            if (action, key) in done:
                continue
            with suppress(CaseError):
                yield case({**written, action: {**arguments, key: "${var.x}"}})
                done.add((action, key))


def test_values_of_the_run_survive_the_document():
    """The short form of an action must not hide an argument that is filled in later."""
    variants = list(_deferred_variants())
    assert len(variants) > 50
    for made in variants:
        assert parse_case(case_document(made), source="case.json") == made


def test_values_with_the_name_of_a_duration_stay_as_they_are():
    """`time` and `timeout` are usual names in data, which has no units."""
    steps = [
        {"set": {"time": 5, "delay": "3s"}},
        {"request": {"post": "/a", "json": {"timeout": 30, "for": "Ann"}}},
    ]
    made = case(*steps, data=[{"every": 2}], vars={"time": 7})
    written = case_document(made)
    assert written["steps"] == steps
    assert (written["data"], written["vars"]) == ([{"every": 2}], {"time": 7})
