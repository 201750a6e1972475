"""Lines of steps: kept beside the case, and shown as the place of a step in its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.locations import place_text, step_lines, step_location, with_step_lines
from qa_queue.cases.model import Case
from qa_queue.cases.reader import load_cases, parse_case
from tests.unit.cases.support import case

CASE = """\
name: Checkout
before:
- goto: /
steps:
- group:
    name: cart
    steps:
    - click: "#add"

    - if: {visible: "#more"}
      then:
      - click: "#more"
      else:
      - click: "#less"
- use: {flow: flows/pay.yaml}
after:
- click: "#out"
flows:
  local:
    flow: Local
    steps:
    - click: "#here"
"""
FLOW = """\
flow: Pay
steps:
- click: "#pay"
- repeat:
    times: 2
    steps:
    - click: "#again"
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Case:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "pay.yaml").write_text(FLOW)
    (tmp_path / "checkout.yaml").write_text(CASE)
    return load_cases(tmp_path / "checkout.yaml")[0]


def test_lines_survive_the_way_to_the_worker(loaded: Case) -> None:
    """The document has none of them, so that an empty line makes no new version of a case."""
    lines = step_lines(loaded)
    assert lines == {"": (3, 5, 8, 10, 12, 14, 15, 17), "local": (22,), "flows/pay.yaml": (3, 4, 7)}
    stored = parse_case(json.loads(json.dumps(case_document(loaded), sort_keys=True)), source="stored")
    assert step_lines(stored) == {}
    assert step_lines(with_step_lines(stored, json.loads(json.dumps(lines)))) == lines
    assert with_step_lines(stored, lines) == loaded


def test_lines_that_do_not_fit_are_left_out(loaded: Case) -> None:
    """A case may have been edited since; a wrong number of lines does not make it invalid."""
    shorter = with_step_lines(case({"goto": "/"}, {"reload": True}), {"": [7], "gone.yaml": [1]})
    assert step_lines(shorter) == {"": (7, None)}
    assert with_step_lines(loaded, {}) == loaded


@pytest.mark.parametrize(
    ("source", "flow", "line", "place"),
    [
        ("checkout.yaml", "", 14, "checkout.yaml:14"),
        ("tests/checkout.yaml", "flows/pay.yaml", 3, "tests/flows/pay.yaml:3"),
        ("tests/checkout.yaml", "../pay.yml", 3, "pay.yml:3"),
        ("tests/checkout.yaml", "local", 22, "tests/checkout.yaml:22"),
        (None, "", 14, None),
        ("checkout.yaml", "", None, None),
    ],
)
def test_the_place_of_a_step(source: str | None, flow: str, line: int | None, place: str | None) -> None:
    """A flow's steps are in its own file, unless the case has the flow in it."""
    assert step_location(source, flow, line) == place


def test_a_position_with_and_without_a_place() -> None:
    """Cases of the API have no file."""
    assert place_text("3.2", "checkout.yaml:14") == "3.2 (checkout.yaml:14)"
    assert place_text("3.2", None) == "3.2"
