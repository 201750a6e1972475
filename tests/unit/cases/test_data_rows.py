"""Rows of data: inline, from CSV or JSON; each is a run of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_queue.cases.data_files import row_name
from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.reader import load_cases, parse_case
from qa_queue.cases.values import check_references
from qa_queue.producer import RunRequest
from qa_queue.producer.planning import PlannedRun, case_record
from qa_queue.producer.validation import expanded
from tests.unit.cases.support import case, file_problems, problems_of, write

CASE = "name: Sign in\ndata: users.csv\nsteps:\n- goto: /${data.user}\n"


def test_rows_of_a_csv_file(tmp_path: Path) -> None:
    """Values are text, also over several lines, and the stored case has them inside."""
    (tmp_path / "users.csv").write_bytes(b'\xef\xbb\xbfuser,note\r\nann,"a, ""b""\nc"\r\n\r\nbob,\r\n')
    (made,) = load_cases(write(tmp_path, CASE))
    assert made.data == ({"user": "ann", "note": 'a, "b"\nc'}, {"user": "bob", "note": ""})
    assert parse_case(case_document(made), source="case") == made


def test_rows_of_a_json_file(tmp_path: Path) -> None:
    """Values keep their types."""
    write(tmp_path, '[{"user": "ann", "age": 7}]', "users.json")
    (made,) = load_cases(write(tmp_path, CASE.replace("csv", "json")))
    assert made.data == ({"user": "ann", "age": 7},)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "users.csv:1: is empty: the first line names the columns"),
        ("user,,x\n", "users.csv:1: column 2 has no name: the first line names the columns"),
        ("user,user\n", "users.csv:1: two columns are called 'user'"),
        ("user,age\nann,7\nbob\n", "users.csv:3: has 1 values for the 2 columns user, age: 'age' is missing"),
        ("user\nann,7\n", "users.csv:2: has 2 values for the 1 columns user: column 2, '7', has no name"),
        ('user\n"ann\n', "users.csv:2: not CSV: unexpected end of data"),
        ('user\n"ann"x\n', "users.csv:2: not CSV: ',' expected after '\"'"),
        ("user\n", "data: has no rows: give at least one, or remove the key"),
    ],
)
def test_a_csv_file_that_cannot_be_used(tmp_path: Path, content: str, problem: str) -> None:
    """With its line and column."""
    (tmp_path / "users.csv").write_text(content)
    (found,) = file_problems(write(tmp_path, CASE))
    assert found.startswith("case.yaml:2: data: ")
    assert problem in found


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("no.csv", "'no.csv' does not exist (looked for at "),
        ("../users.csv", "'../users.csv' is not read: only files in the folder of the case"),
        (".env.csv", "'.env.csv' is not read"),
        ("x" * 300 + ".csv", f"'{'x' * 80}' is not a file that can be read: File name too long"),
        (r'"\0.csv"', r"'\x00.csv' is not a file that can be read: "),
        ("users.xlsx", "'users.xlsx' holds no rows: give a .csv, .json or .yaml file"),
    ],
)
def test_a_file_that_is_not_read(tmp_path: Path, name: str, problem: str) -> None:
    """Only rows beside the case, and no hidden files."""
    (found,) = file_problems(write(tmp_path, CASE.replace("users.csv", name)))
    assert problem in found


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ([], "data: has no rows: give at least one, or remove the key"),
        ("users.csv", "data: the rows of 'users.csv' are read where the case is a file"),
        ([["ann"]], "data[0]: expected a mapping, got a list"),
        ({"user": "ann"}, "data: expected a list, got a mapping"),
    ],
)
def test_rows_that_are_none(data: object, problem: str) -> None:
    """Each with its place."""
    (found,) = problems_of(data=data)
    assert found.startswith(problem)


def test_a_column_has_to_be_in_every_row() -> None:
    """The nearest known one is named; a default stands in."""
    made = case({"goto": "/${data.usr}/${data.age}/${data.age:-1}"}, data=[{"user": "a", "age": 1}, {"user": "b"}])
    assert [one.partition("${")[2] for one in check_references(made, ())] == [
        "data.usr} has no value; did you mean 'user'?",
        "data.age} has no value; known are user",
    ]


def test_a_request_becomes_a_run_for_each_row() -> None:
    """The key of the first one is the given one; a chosen row is alone."""
    made = case({"goto": "/${data.user}"}, data=[{"user": "ann"}, {"name": "Bob B.", "user": "bob"}])
    runs = expanded(RunRequest(case=made, idempotency_key="k"))
    assert [(one.title, one.idempotency_key) for one in runs] == [
        ("Sign in [user=ann]", "k"),
        ("Sign in [Bob B.]", "k#row2"),
    ]
    assert expanded(runs[1]) == [runs[1]]


def test_the_base_url_of_a_run_may_depend_on_its_row() -> None:
    """Directly, or through a variable; the run's own values are known too."""
    made = case(
        {"goto": "/"},
        base_url="http://${var.host}/${run.id}",
        vars={"host": "${data.site}"},
        data=[{"site": "a.example"}],
    )
    (request,) = expanded(RunRequest(case=made))
    plan = PlannedRun(run_id="r1", request=request, case=case_record(request), env={})
    assert plan.base_url == "http://a.example/r1"


def test_the_name_of_a_row_is_short() -> None:
    """Its own, else its values."""
    assert row_name({"a": "x" * 99}) == f"a={'x' * 57}…"
