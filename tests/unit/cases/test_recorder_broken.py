"""Recordings that were damaged or written by hand: a case, notes and problems, and never a traceback."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_queue.cases.document_path import DocumentPath, ProblemReport
from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.importers.recorder import convert_recording
from qa_queue.cases.importers.recorder.steps import RECORDED_TYPES
from qa_queue.cases.reader import parse_case
from qa_queue.errors import CaseError
from tests.unit.cases.support import converted

KEYS = """target selectors offsetX offsetY value key url frame timeout assertedEvents button deviceType duration
width height x y count operator visible properties attributes expression name""".split()  # noqa: SIM905
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(
        ["main", "#a", "aria/a", "text/b", "xpath///a", "pierce/c", "primary", "Control", "Enter", "=="]
    )
    | st.sampled_from(["https://a.example/${x}", "about:blank", "navigation", "on", "C:\\fakepath\\a"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "href"]), inner, max_size=2)
    ),
    max_leaves=5,
)
steps = st.builds(
    lambda kind, fields: {"type": kind} | fields,
    st.sampled_from(sorted(RECORDED_TYPES)) | scalars,
    st.dictionaries(st.sampled_from(KEYS), values, max_size=8),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(steps, max_size=4), scalars, scalars)
def test_any_recording_is_converted_or_refused(recorded: list[dict[str, Any]], title: Any, timeout: Any):
    """What is converted is a case that can be stored and read again."""
    opening = {"type": "navigate", "url": "https://shop.example/"}
    document = {"title": title, "timeout": timeout, "steps": [opening, *recorded]}
    try:
        case = convert_recording(DocumentPath(ProblemReport("recording.json")), document).case
    except CaseError:
        return
    assert parse_case(case_document(case), source="case.json") == case


@pytest.mark.parametrize(
    ("step", "note"),
    [
        ({"type": "keyDown", "key": ""}, "step 2 (keyDown): not carried over: it has no 'key'"),
        (
            {"type": "click", "selectors": ["#a"], "frame": ["x"]},
            "step 2 (click): not carried over: its 'frame' is",
        ),
        (
            {"type": "click", "selectors": ["#a"], "frame": 0},
            "step 2 (click): not carried over: its 'frame' is not",
        ),
        ({"type": "scroll", "y": float("inf")}, None),
    ],
)
def test_a_step_that_breaks_the_format_is_dropped(step: dict[str, Any], note: str | None):
    """The others stay."""
    made = converted(step)

    assert [one.startswith(note or "") for one in made.notes] == ([True] if note else [])


def test_a_long_title_with_signs_of_values_fits_a_name():
    """Escaping makes it longer."""
    assert len(converted(title="${" * 100).case.name) == 200
