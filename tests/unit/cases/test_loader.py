"""Files: what kinds there are, where problems stand in them, and files that cannot be used at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from qa_queue.cases.reader import MAX_BYTES, load_cases, load_file
from qa_queue.errors import CaseError
from tests.unit.cases.support import document, file_problems, write, write_recording


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".json", ".YAML"])
def test_each_suffix_is_read(tmp_path: Path, suffix: str):
    """JSON is read by its suffix, YAML by both of its own, in any case of letters."""
    path = write(tmp_path, json.dumps(document()), f"case{suffix}")

    assert [case.name for case in load_cases(path)] == ["Sign in"]


@pytest.mark.parametrize("name", ["shop.yaml", "shop.json"])
def test_problems_name_file_line_and_path(tmp_path: Path, name: str):
    """YAML and JSON both know their lines."""
    path = write(
        tmp_path,
        """
        {
          "name": "Order",
          "colour": "red",
          "steps": [
            {"goto": "/"},
            {
              "clik": "#go"
            },
            {"fill": {"target": "#a",
                      "value": 7}}
          ]
        }
        """,
        name,
    )

    assert file_problems(path) == [
        f"{name}:3: colour: unknown key 'colour'",
        f"{name}:7: steps[1].clik: unknown action 'clik'; did you mean 'click'?",
        f"{name}:10: steps[2].fill.value: expected text, got the number 7; put it in quotes",
    ]


def test_steps_know_their_lines(tmp_path: Path):
    """The line is kept for messages, and no part of equality."""
    path = write(
        tmp_path,
        """
        name: Order
        steps:
        - goto: /
        - click:
            target: "#go"
        """,
    )
    (case,) = load_cases(path)

    assert [step.line for step in case.steps] == [3, 4]
    assert case.steps[0] == case.steps[0].model_copy(update={"line": 99})
    assert hash(case.steps[0]) == hash(case.steps[0].model_copy(update={"line": 99}))


def test_a_byte_order_mark_is_not_a_part_of_the_text(tmp_path: Path):
    """Editors on Windows write one."""
    path = tmp_path / "case.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(document()).encode())

    assert load_cases(path)[0].name == "Sign in"


def test_a_suite_lays_what_it_shares_under_its_cases(tmp_path: Path):
    """A case's own values win, tags are joined, `use` is merged key by key."""
    path = write(
        tmp_path,
        """
        suite: Shop
        base_url: http://shop.example
        tags: [shop, smoke]
        use: {viewport: 800x600, test_id_attribute: data-qa}
        cases:
        - name: Browse
          steps: [{goto: /}]
        - name: Order
          base_url: http://other.example
          tags: [smoke, order]
          use: {viewport: 400x800}
          steps: [{goto: /}]
        """,
    )
    browse, order = load_cases(path)

    assert (browse.base_url, browse.tags, browse.use.viewport.width) == (
        "http://shop.example",
        ("shop", "smoke"),
        800,
    )
    assert (order.base_url, order.tags) == ("http://other.example", ("shop", "smoke", "order"))
    assert (order.use.viewport.width, order.use.test_id_attribute) == (400, "data-qa")


def test_problems_of_a_suite_and_of_its_cases_come_together(tmp_path: Path):
    """Problems of shared values are reported once, not once a case."""
    path = write(
        tmp_path,
        """
        suite: Shop
        tags: smoke
        colour: red
        cases:
        - name: Browse
          steps: [{goto: 1}]
        - name: Browse
          steps: [{goto: /}]
        - just text
        - name: Browse
          steps: [{goto: /}]
        """,
    )

    assert file_problems(path) == [
        "case.yaml:2: tags: expected a list, got 'smoke'",
        "case.yaml:3: colour: unknown key 'colour'",
        "case.yaml:6: cases[0].steps[0].goto: expected text, got the number 1; put it in quotes",
        "case.yaml:9: cases[2]: expected a case, got 'just text'",
        "case.yaml:10: cases[3]: has the same key 'Browse' as cases[1]: give each an id or name of its own",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("suite: Shop\n", "case.yaml:1: 'cases' is missing"),
        ("suite: Shop\ncases: []\n", "case.yaml:2: cases: must not be empty"),
        ("suite: Shop\ncases: x\n", "case.yaml:2: cases: expected a list, got 'x'"),
        ("cases: [{name: a, steps: [{goto: /}]}]\n", "case.yaml:1: 'suite' is missing"),
    ],
)
def test_a_suite_needs_its_name_and_cases(tmp_path: Path, text: str, problem: str):
    """Half a suite is refused."""
    assert file_problems(write(tmp_path, text)) == [problem]


@pytest.mark.parametrize(
    ("text", "name", "problem"),
    [
        ("", "case.yaml", "case.yaml: is empty; a case has at least 'name' and 'steps'"),
        ("  \n\n", "case.json", "case.json: is empty; a case has at least 'name' and 'steps'"),
        ("# only a comment\n", "case.yaml", "case.yaml: is empty; a case has at least 'name' and 'steps'"),
        ("just text\n", "case.yaml", "case.yaml:1: expected a mapping with 'name' and 'steps', got 'just text'"),
        ("[]\n", "case.json", "case.json:1: expected a mapping with 'name' and 'steps', got a list"),
        ("name: x\n", "case.txt", "case.txt: .txt cannot be read: give .yaml, .yml or .json"),
        ("name: x\n", "case", "case: a file without a suffix cannot be read: give .yaml, .yml or .json"),
        ('{"name": }', "case.json", "case.json:1: not JSON: Expecting value, column 10"),
        (
            "name: a: b\n",
            "case.yaml",
            "case.yaml:1: not YAML: mapping values are not allowed in this context, column 8: "
            "put a text that contains ': ' in quotes",
        ),
    ],
)
def test_files_that_are_not_cases(tmp_path: Path, text: str, name: str, problem: str):
    """Each says what is wrong with the file."""
    assert file_problems(write(tmp_path, text, name)) == [problem]


def test_a_file_that_is_not_there(tmp_path: Path):
    """The message has the path as given."""
    with pytest.raises(CaseError, match=r"nowhere\.yaml: does not exist$"):
        load_file(tmp_path / "nowhere.yaml")


def test_a_folder(tmp_path: Path):
    """A folder is not a case, whatever its name."""
    folder = tmp_path / "cases.yaml"
    folder.mkdir()

    assert file_problems(folder) == ["cases.yaml: is a folder: give a file"]


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Root may read everything, so there the refusal is played by the file system's own error."""
    path = write(tmp_path, "name: x\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        monkeypatch.setattr(Path, "read_bytes", _refuse)

    assert file_problems(path) == ["case.yaml: cannot be read: permission denied"]


def _refuse(path: Path) -> bytes:
    raise PermissionError(13, "Permission denied", str(path))


def test_a_path_that_the_system_refuses(tmp_path: Path):
    """Other errors of the file system keep their wording."""
    path = tmp_path / ("x" * 300 + ".yaml")

    assert file_problems(path) == [f"{path.name}: cannot be read: File name too long"]


def test_bytes_that_are_not_utf8(tmp_path: Path):
    """The position of the first such byte is named."""
    path = tmp_path / "case.yaml"
    path.write_bytes(b"name: caf\xe9\n")

    assert file_problems(path) == ["case.yaml: is not UTF-8 (byte 9): save it as UTF-8"]


def test_a_file_larger_than_any_case(tmp_path: Path):
    """A wrong file is refused before it is read."""
    path = tmp_path / "dump.json"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)

    assert file_problems(path) == ["dump.json: is larger than 1 MB, which no case file is"]


def test_a_recording_is_recognised_and_its_notes_are_warnings(tmp_path: Path):
    """No flag is needed to run a recording."""
    loaded = load_file(write_recording(tmp_path, {"type": "customStep", "name": "blur"}))

    assert loaded.cases[0].name == "Order"
    assert loaded.warnings == ("step 2 (customStep): not carried over: it is a custom step (blur)",)
    assert loaded.cases[0].notes == loaded.warnings
    assert loaded.source.endswith("recording.json")


def test_broken_steps_of_a_recording_are_left_out_with_a_warning(tmp_path: Path):
    """A recording's own schema is checked; the steps that follow it are kept."""
    loaded = load_file(write_recording(tmp_path, {"type": "navigate"}, {"type": "change", "value": 1}))

    assert loaded.warnings == (
        "step 2 (navigate): not carried over: has no 'url'",
        "step 3 (change): not carried over: 'value' should be text, got the number 1",
    )
    assert [step.action for step in loaded.cases[0].steps] == ["goto"]
