"""Flows: read from files, embedded once, checked with the case, and refused where they cannot work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.exporters.yaml import dump_yaml
from qa_queue.cases.model import Case
from qa_queue.cases.reader import load_cases, load_file, parse_case
from qa_queue.cases.rebase import moved
from qa_queue.cases.values import check_references
from qa_queue.errors import CaseError
from tests.unit.cases.support import file_problems, write

FLOW = {
    "flow": "Sign in",
    "params": {"user": {"required": True}, "password": {"secret": True, "required": False}, "size": 3},
    "steps": [
        {"goto": "/login?u=${param.user}"},
        {"fill": {"label": "Password", "value": "${param.password:-x}"}},
        {"set": {"name": "${param.user}"}},
    ],
    "returns": ["name"],
}


def flow(**changes: Any) -> dict[str, Any]:
    """The flow with other keys."""
    return FLOW | changes


def using(*uses: Any, **case: Any) -> dict[str, Any]:
    """A case with these uses."""
    return {"name": "Order", "steps": [{"use": use} for use in uses]} | case


def files(folder: Path, **documents: Any) -> Path:
    """Files in JSON by their names, `case` is a.json; returns the path of the case."""
    for name, document in documents.items():
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
    return folder / "case.json"


def one(path: Path) -> Case:
    """The one case of a file."""
    (found,) = load_cases(path)
    return found


def test_a_flow_used_twice_is_embedded_once(tmp_path: Path) -> None:
    """The case that is stored needs no files, and reads back as the same case."""
    path = files(
        tmp_path,
        case=using({"flow": "in.json", "with": {"user": "ann"}}, "out.json", "out.json"),
        out=flow(params={}, steps=[{"click": "#out"}], returns=[]),
    )
    files(tmp_path, **{"in": FLOW})
    made = one(path)
    assert sorted(made.flows) == ["in.json", "out.json"]
    assert parse_case(case_document(made), source="case") == made
    assert one(write(tmp_path / "..", dump_yaml(made), "moved.yaml")) == made
    assert made.known_total == 5


def test_flows_are_found_from_the_file_that_uses_them(tmp_path: Path) -> None:
    """A flow names others relative to its own file; in the case they are relative to the case."""
    outer = flow(params={}, steps=[{"use": "../shared/inner.json"}], returns=[])
    inner = flow(params={}, steps=[{"click": "#x"}], returns=[])
    files(tmp_path, **{"cases/case": using("../flows/outer.json"), "flows/outer": outer, "shared/inner": inner})
    made = one(tmp_path / "cases" / "case.json")
    assert sorted(made.flows) == ["../flows/outer.json", "../shared/inner.json"]


def test_a_cycle_is_named(tmp_path: Path) -> None:
    """However long it is, and though every file is read once."""
    names = {"a": "b.json", "b": "c.json", "c": "a.json"}
    path = files(
        tmp_path,
        case=using("a.json"),
        **{name: flow(params={}, steps=[{"use": other}], returns=[]) for name, other in names.items()},
    )
    assert file_problems(path) == [
        "case.json: the flows use each other in a circle: a.json -> b.json -> c.json -> a.json"
    ]


@pytest.mark.parametrize(("depth", "fits"), [(10, True), (11, False)])
def test_flows_are_nested_ten_deep(tmp_path: Path, depth: int, fits: bool) -> None:
    """The next one is refused before anything runs."""
    chain = {f"f{n}": flow(params={}, steps=[{"use": f"f{n + 1}.json"}], returns=[]) for n in range(1, depth)}
    last = {f"f{depth}": flow(params={}, steps=[{"click": "#x"}], returns=[])}
    path = files(tmp_path, case=using("f1.json"), **chain, **last)
    if fits:
        assert one(path).known_total == 1
    else:
        assert file_problems(path) == ["case.json: its flows are nested 11 deep; at most 10 are possible"]


def test_flows_that_multiply_are_refused(tmp_path: Path) -> None:
    """Few lines could stand for millions of steps."""
    chain = {f"f{n}": flow(params={}, steps=[{"use": f"f{n + 1}.json"}] * 9, returns=[]) for n in range(1, 9)}
    last = {"f9": flow(params={}, steps=[{"click": "#x"}], returns=[])}
    path = files(tmp_path, case=using("f1.json"), **chain, **last)
    assert file_problems(path) == ["case.json: has 43046721 steps with its flows; at most 20000 are possible"]


@pytest.mark.parametrize(
    ("use", "problem"),
    [
        ({"flow": "in.json"}, "the flow 'in.json' needs 'user' under 'with'"),
        (
            {"flow": "in.json", "with": {"user": "a", "pasword": "b"}},
            "has no parameter 'pasword'; did you mean 'password'?",
        ),
        ("on.json", "the flow 'on.json' does not exist (looked for at "),
        ("in.txt", "the flow 'in.txt' is not a .yaml, .yml or .json file"),
        ("../../../etc/in.yaml", "the flow '../../../etc/in.yaml' is not used: only files in "),
        ("x" * 300 + ".yaml", f"the flow '{'x' * 80}' is not a file that can be read: File name too long"),
        ("a\0b.json", r"the flow 'a\x00b.json' is not a file that can be read: "),
        (".hidden/in.json", "the flow '.hidden/in.json' is not used: only files in "),
        ({"flow": "in.json", "wiht": {}}, "unknown key 'wiht'; did you mean 'with'?"),
    ],
)
def test_a_use_that_cannot_work(tmp_path: Path, use: Any, problem: str) -> None:
    """With the place in the file that uses the flow."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    path = files(tmp_path / "a" / "b", case=using(use), **{"in": FLOW})
    (found,) = file_problems(path)
    assert found.startswith("case.json:1: ")
    assert problem in found


def test_problems_name_the_file_and_line_of_the_flow(tmp_path: Path) -> None:
    """Each once, in the file where it stands."""
    write(tmp_path, "flow: Sign in\nsteps:\n- goto: /\n- clik: '#x'\n", "in.yaml")
    path = write(tmp_path, "name: Order\nsteps:\n- use: in.yaml\n- use: in.yaml\n")
    assert [one.replace(str(tmp_path), "") for one in file_problems(path)] == [
        "/in.yaml:4: steps[1].clik: unknown action 'clik'; did you mean 'click'?"
    ]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"steps": [{"goto": "/${param.usr}"}]},
            "in.json:1: steps[0].goto.url: ${param.usr} has no value; did you mean 'user'?",
        ),
        ({"steps": [{"goto": "/${data.x}"}]}, "${data.x} is not known in a flow: give it to the flow under 'with'"),
        ({"steps": [{"goto": "/${var.x}"}]}, "${var.x} has no value: add it under 'vars' of the case"),
        ({"steps": [{"goto": "/${param.password}"}]}, "${param.password} would stay readable in reports here"),
        ({"returns": {"p": "${param.password}"}}, "returns.p: ${param.password} would stay readable"),
    ],
)
def test_references_are_checked_in_flows(tmp_path: Path, changes: Any, problem: str) -> None:
    """A flow sees its parameters and its own variables."""
    path = files(tmp_path, case=using({"flow": "in.json", "with": {"user": "a"}}), **{"in": flow(**changes)})
    (found,) = [text for text in check_references(one(path), (), source="case.json") if "returns.name" not in text]
    assert problem in found


def test_a_secret_goes_to_a_secret_parameter_only(tmp_path: Path) -> None:
    """Elsewhere it would be read in reports."""
    uses = ({"flow": "in.json", "with": {"user": "${secret.USER}", "password": "${secret.PW}"}},)
    path = files(tmp_path, case=using(*uses), **{"in": FLOW})
    assert check_references(one(path), (), source="case.json") == (
        "case.json:1: steps[0].use.with.user: ${secret.USER} is a secret: "
        "declare the parameter 'user' of 'in.json' as secret",
    )


def test_the_file_of_a_flow_can_be_checked(tmp_path: Path) -> None:
    """It has no case, and its own flows are read too."""
    files(tmp_path, **{"in": flow(steps=[{"use": "no.json"}])})
    assert "does not exist" in file_problems(tmp_path / "in.json")[0]
    files(tmp_path, **{"in": FLOW})
    loaded = load_file(tmp_path / "in.json")
    assert loaded.cases == ()
    assert loaded.flow is not None


def test_the_urls_of_flows_move_with_the_case() -> None:
    """To another host, as those of the case itself."""
    inner = flow(
        params=[], steps=[{"goto": "http://old.example/login"}, {"goto": "http://other.example/"}], returns=[]
    )
    made = parse_case(using("in", flows={"in": inner}, base_url="http://old.example"), source="case")
    urls = [step.args.url for step in moved(made, "http://new.example/shop").flows["in"].steps]
    assert urls == ["/shop/login", "http://other.example/"]


def test_a_case_without_files_has_its_flows_inside() -> None:
    """A program that submits a case sends them along."""
    document = using("in", flows={"in": flow(params=[], steps=[{"click": "#x"}], returns=[])})
    assert parse_case(document, source="case").known_total == 1
    with pytest.raises(CaseError, match=r"the flow 'in\.json' is not part of the case: run the case from its file"):
        parse_case(document | {"steps": [{"use": "in.json"}]}, source="case")
