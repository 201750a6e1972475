"""The JSON Schema of case files, for completion in editors and for programs that write cases."""

from __future__ import annotations

from qa_queue.cases.actions import ACTION_SHAPES
from qa_queue.cases.parse import CASE_KEYS, SUITE_KEYS
from qa_queue.cases.shapes import Schema
from qa_queue.cases.steps import step_schema
from qa_queue.cases.targets import target_schema


def case_schema() -> Schema:
    """JSON Schema (draft 2020-12) of a file with one case or a suite, as it is after YAML or JSON was read.

    What a schema cannot say (two cases of one key, `${...}` that nobody sets) the loader alone checks.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "qa-queue case file, version 1",
        "oneOf": [{"$ref": "#/$defs/case"}, {"$ref": "#/$defs/suite"}],
        "$defs": {
            "case": {"title": "Case", "description": "One test."} | CASE_KEYS.schema(),
            "suite": {"title": "Suite", "description": "Several tests."} | SUITE_KEYS.schema(),
            "step": step_schema(),
            "target": target_schema(),
            **{action: shape.schema() for action, shape in ACTION_SHAPES.items()},
        },
    }
