"""Logins of cases as written: their forms, what is refused, and where their steps count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.exporters.yaml import dump_yaml
from qa_queue.cases.locations import step_lines, with_step_lines
from qa_queue.cases.model import Case
from qa_queue.cases.reader import load_cases, parse_case
from qa_queue.cases.rebase import rebase
from qa_queue.cases.values import check_references, references
from qa_queue.errors import CaseError

STEPS = [{"goto": "/signin"}, {"fill": {"label": "Password", "value": "${secret.PW}"}}]


CIRCLE = {"a": {"flow": "a", "steps": [{"use": "b"}]}, "b": {"flow": "b", "steps": [{"use": "a"}]}}


def case(**fields: Any) -> Case:
    document = {"name": "x", "logins": {"ann": STEPS}, "use": {"storage_state": "ann"}, "steps": [{"goto": "/"}]}
    return parse_case(document | fields, source="x.yaml")


def problem(**fields: Any) -> str:
    with pytest.raises(CaseError) as caught:
        case(**fields)
    return "\n".join(caught.value.problems)


def test_a_login_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """As JSON and as YAML."""
    written = case(
        logins={"ann": {"steps": STEPS, "valid_if": [{"request": "/me"}], "expires": "7d", "timeout": "5s"}}
    )
    assert written.logins["ann"].expires_ms == 7 * 24 * 3_600_000
    assert parse_case(case_document(written), source="x") == written
    file = tmp_path / "x.yaml"
    file.write_text(dump_yaml(written))
    assert load_cases(file) == (written,)


def test_a_login_may_be_a_list_or_the_file_of_a_flow(tmp_path: Path) -> None:
    """The flow is embedded, as are those of steps."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "sign-in.yaml").write_text("flow: Sign in\nsteps:\n- goto: /signin\n")
    file = tmp_path / "x.yaml"
    file.write_text("name: x\nlogins: {ann: flows/sign-in.yaml}\nuse: {storage_state: ann}\nsteps:\n- goto: /\n")
    (found,) = load_cases(file)
    assert found.logins["ann"].steps[0].args.flow_key == "flows/sign-in.yaml"
    assert list(found.flows) == ["flows/sign-in.yaml"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"use": {"storage_state": "anna"}},
            "use.storage_state: 'anna' is not a login of the case; did you mean 'ann'?",
        ),
        ({"logins": {"ann": {"steps": []}}}, "logins.ann.steps: must not be empty"),
        ({"logins": {"ann": 5}}, "logins.ann: expected steps, a mapping with 'steps', or the file of a flow"),
        ({"logins": {"ann": {"valid_if": STEPS}}}, "logins.ann: 'steps' is missing"),
        (
            {"logins": {"ann": {"steps": STEPS, "expires": "soon"}}},
            "logins.ann.expires: 'soon' is not a span of time",
        ),
        ({"logins": {"ann": [{"clik": "#a"}]}}, "logins.ann[0].clik: unknown action 'clik'; did you mean 'click'?"),
        ({"logins": {"ann": [{"use": "no.yaml"}]}}, "the flow 'no.yaml' is not part of the case"),
        ({"logins": {"ann": [{"goto": "/"}] * 501}}, "logins.ann: is 501 items long; 500 are allowed"),
        (
            {"logins": {f"u{number}": [{"goto": "/"}] for number in range(101)}},
            "logins: is 101 items long; 100 are allowed",
        ),
        ({"logins": {"ann": [{"use": "a"}]}, "flows": CIRCLE}, "the flows use each other in a circle: a -> b -> a"),
        ({"logins": {"ann": [{"save_state": "b"}]}}, "logins.ann.steps[0]: a login saves its state itself"),
    ],
)
def test_what_is_wrong_with_a_login_is_named(fields: dict[str, Any], text: str) -> None:
    assert text in problem(**fields)


def test_a_login_sees_values_but_not_what_steps_save() -> None:
    """Its secrets count as those of the case; a variable that a step saves is not there yet."""
    steps = [
        {"goto": "/${var.shop}"},
        {"goto": "/${env.LANG}"},
        {"goto": "/${data.user}"},
        {"goto": "/${var.later}"},
    ]
    found = case(
        logins={"ann": [*STEPS, *steps]},
        vars={"shop": "a"},
        data=[{"user": "ann"}],
        steps=[{"set": {"later": "b"}}],
    )
    assert "PW" in {reference.name for reference in references(found) if reference.kind == "secret"}
    assert check_references(found, {"LANG"}) == (
        "x: logins.ann.steps[5].goto.url: ${var.later} has no value; known are shop",
    )


def test_only_the_login_in_use_counts() -> None:
    """The steps of another one need no values, and none of them is a step of the case."""
    found = case(logins={"ann": [{"goto": "/"}], "bob": STEPS})
    assert references(found) == frozenset()
    assert found.known_total == 1
    by_row = case(
        logins={"ann": [{"goto": "/"}], "bob": STEPS},
        use={"storage_state": "${data.login}"},
        data=[{"login": "ann"}],
    )
    assert [reference.name for reference in references(by_row)] != []
    assert set(by_row.used_logins) == {"ann", "bob"}


def test_logins_of_a_suite_hold_for_its_cases(tmp_path: Path) -> None:
    """A case has its own beside them, and may begin without one."""
    file = tmp_path / "suite.yaml"
    file.write_text(
        "suite: s\nlogins: {ann: [{goto: /a}], bob: [{goto: /b}]}\nuse: {storage_state: ann}\ncases:\n"
        "- {name: one, steps: [{goto: /}]}\n"
        "- {name: two, logins: {bob: [{goto: /c}]}, use: {storage_state: bob}, steps: [{goto: /}]}\n"
        "- {name: three, use: {storage_state: null}, steps: [{goto: /}]}\n"
    )
    one, two, three = load_cases(file)
    assert [list(found.used_logins) for found in (one, two, three)] == [["ann"], ["bob"], []]
    assert two.logins["bob"].steps[0].args.sentence() == "go to /c"


def test_a_case_moves_to_another_host_with_its_logins() -> None:
    found = case(base_url="http://a.example", logins={"ann": [{"goto": "http://a.example/signin"}]})
    moved = rebase(found, "http://b.example")
    assert moved.logins["ann"].steps[0].args.sentence() == "go to /signin"


def test_the_steps_of_a_login_keep_their_lines_beside_the_case(tmp_path: Path) -> None:
    """A message of a worker names the line, although the stored case has none."""
    file = tmp_path / "x.yaml"
    file.write_text(
        "name: x\nlogins:\n  ann:\n    steps:\n    - goto: /\n    - group:\n        name: In\n        steps:\n"
        "        - click: '#a'\n    valid_if:\n    - goto: /me\nuse: {storage_state: ann}\nsteps:\n- goto: /\n"
    )
    (written,) = load_cases(file)
    lines = step_lines(written)
    assert lines == {"": (14,), "(login ann)": (5, 6, 9, 11)}
    stored = with_step_lines(parse_case(case_document(written), source="x"), lines)
    assert step_lines(stored) == lines
