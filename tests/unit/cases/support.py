"""Makers of documents, cases and files for the tests of the case format."""

from __future__ import annotations

import json
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from qa_queue.cases.actions import Expect
from qa_queue.cases.checks import CHECKS
from qa_queue.cases.document_path import DocumentPath, ProblemReport
from qa_queue.cases.importers.recorder import Converted, convert_recording
from qa_queue.cases.model import Case
from qa_queue.cases.reader import load_file, parse_case
from qa_queue.cases.schema import case_schema
from qa_queue.errors import CaseError


@cache
def validator() -> Draft202012Validator:
    """A validator of the published schema, which takes half a second to make."""
    return Draft202012Validator(case_schema())


def document(*steps: Any, **overrides: Any) -> dict[str, Any]:
    """The smallest case document, with these steps and keys."""
    return {"name": "Sign in", "steps": list(steps) or [{"goto": "/"}]} | overrides


def case(*steps: Any, **overrides: Any) -> Case:
    """The case of `document(...)`."""
    return parse_case(document(*steps, **overrides), source="case.yaml")


def assertion(**values: Any) -> Expect:
    """The action with the one check that is among the values."""
    check = CHECKS[next(name for name in values if name in CHECKS)]
    return Expect(check=check(**values))


def problems_of(*steps: Any, **overrides: Any) -> tuple[str, ...]:
    """The problems of a document that must be refused, without the name of the file."""
    with pytest.raises(CaseError) as caught:
        case(*steps, **overrides)
    return tuple(problem.removeprefix("case.yaml: ") for problem in caught.value.problems)


def write(folder: Path, text: str, name: str = "case.yaml") -> Path:
    """A file with this text, its indentation removed."""
    path = folder / name
    path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def file_problems(path: Path) -> list[str]:
    """The problems of a file that must be refused, with the name of the file instead of its path."""
    with pytest.raises(CaseError) as caught:
        load_file(path)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return [problem.replace(str(path), path.name) for problem in caught.value.problems]


def recording(*steps: dict[str, Any], **overrides: Any) -> dict[str, Any]:
    """A recording that opens a page and then does these steps."""
    opening = {"type": "navigate", "url": "https://shop.example/"}
    return {"title": "Order", "steps": [opening, *steps]} | overrides


def converted(*steps: dict[str, Any], **overrides: Any) -> Converted:
    """The import of `recording(...)`."""
    return convert_recording(DocumentPath(ProblemReport("recording.json")), recording(*steps, **overrides))


def write_recording(folder: Path, *steps: dict[str, Any], **overrides: Any) -> Path:
    """A recording as a file."""
    path = folder / "recording.json"
    path.write_text(json.dumps(recording(*steps, **overrides), indent=2))
    return path
