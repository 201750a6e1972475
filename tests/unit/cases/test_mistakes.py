"""Messages for the mistakes that testers make most, each with its line and what to do."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from qa_queue.cases.reader import load_cases
from qa_queue.cases.values import check_references
from qa_queue.errors import CaseError
from tests.unit.cases.support import case

SYNTAX = {
    "- goto /": "3: steps[0]: expected a step such as {click: \"#go\"}, got 'goto /'; "
    "a ':' is missing after 'goto'",
    "- goto:/login": "got 'goto:/login'; write a space after the ':'",
    "- goto: /\n  - click: x": "4: not YAML: did not find expected key while parsing a block mapping, column 3: "
    "indent the line as its neighbours",
    "- expect:\n    css p\n    text: x": "5: not YAML: mapping values are not allowed in this context, column 9: "
    "the line before lacks its ':', or is indented less",
    "- click:\n\trole: button": "4: not YAML: found character '\\t' that cannot start any token, column 1: "
    "indent with spaces, not with tabs",
    "- click: @id": "3: not YAML: found character '@' that cannot start any token, "
    "column 10: put the value in quotes",
    "- click: *id": "3: not YAML: found undefined alias 'id', column 10: a value that begins with * needs quotes",
    "- click: #id": "3: steps[0].click: expected a selector or a mapping such as {role: button}, got nothing; "
    "a selector that begins with # needs quotes",
    "- click: {css: a, name: Total: 5}": "column 30: inside {}, a text with any of , : { } [ ] # or quotes needs "
    "quotes around it",
    '- expect:\n    css: p\n    text: "He said "hi""': "5: not YAML: did not find expected key while parsing a "
    "block mapping, column 21: put a text with quotes in quotes of the other kind, as a whole",
    "- group:\n    name: A: B\n    steps: []": "4: not YAML: mapping values are not allowed in this context, "
    "column 12: put a text that contains ': ' in quotes",
    "- goto: /\nname: Again": "4: name: key 'name' is there twice",
}
PLACES = {
    "- click:\n  role: button": "4: steps[0].role: 'role' belongs inside 'click': indent it further",
    '- fill: "#a"\n  value: x': "4: steps[0].value: 'value' belongs inside 'fill'",
    "- expect: {css: p}\n  text: x": "4: steps[0].text: 'text' belongs inside 'expect'",
    "- click: {css: a, timeout: 3s}": "unknown key 'timeout'; it belongs beside 'click', not inside it",
    "- click: {css: a, tiemout: 3s}": "unknown key 'tiemout'; did you mean 'timeout'? it belongs beside 'click', "
    "not inside it",
    "- expect: {css: a, in_viewport: {ratio: 0.5}}": "steps[0].expect.in_viewport.ratio: unknown key 'ratio'; "
    "it belongs beside 'in_viewport', not inside it",
    "- retries: 3": "unknown action 'retries'; it is a key of the case: write it beside 'steps'",
    "- viewport: 400x800": "unknown action 'viewport'; it belongs under 'use' of the case",
    "- goto: /\nclick: x": "4: click: unknown key 'click'; it is an action: write it as a step, `- click: ...`",
    "- goto: /\nlocale: de-DE": "4: locale: unknown key 'locale'; it belongs under 'use' of the case",
    "- goto: /\nuse: {base_url: http://a}": "use.base_url: unknown key 'base_url'; it belongs beside 'use', "
    "not inside it",
}
WORDS = {
    "- navigate: /": "unknown action 'navigate'; did you mean 'goto'?",
    "- assert: {visible: a}": "unknown action 'assert'; did you mean 'expect'?",
    "- sleep: 2s": "unknown action 'sleep'; did you mean 'wait_for: {time: 2s}'?",
    "- doubleClick: a": "unknown action 'doubleClick'; did you mean 'dblclick'?",
    "- waitFor: a": "unknown action 'waitFor'; did you mean 'wait_for'?",
    "- click: {role: buton, name: a}": "3: steps[0].click.role: unknown role 'buton'; did you mean 'button'?",
    "- expect: {target: a, role: heding}": "unknown role 'heding'; did you mean 'heading'?",
    "- expect: {not: {visible: a}}": "expect: 'not' is true or false beside a check",
    "- expect: {all: [{visible: a}]}": "unknown check 'all': only conditions join checks; write a step for each",
    "- clik: a": "unknown action 'clik'; did you mean 'click'?",
}


@pytest.mark.parametrize(("steps", "message"), (SYNTAX | PLACES | WORDS).items())
def test_a_mistake_is_named_with_its_remedy(tmp_path: Path, steps: str, message: str) -> None:
    """People read the line, what is wrong there, and what to write instead."""
    file = tmp_path / "case.yaml"
    file.write_text(f"name: A\nsteps:\n{steps}\n", encoding="utf-8")

    with pytest.raises(CaseError) as caught:
        load_cases(file)

    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{file}:")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("${var.usr}", "${var.usr} has no value; did you mean 'user'?"),
        ("${user}", "or $${ for a plain ${; did you mean ${var.user}?"),
        ("${vars.user}", "or $${ for a plain ${; did you mean ${var.user}?"),
        ("${env.NOTHING}", "${env.NOTHING} has no value: set it in the environment or give --env NOTHING=..."),
        ("${var.user", "${var.user is not closed with '}'; write $${ for a plain ${"),
    ],
)
def test_an_unknown_variable_is_named_with_its_remedy(written: str, message: str) -> None:
    """The nearest name, or the forms that there are."""
    made = case({"fill": {"label": "Name", "value": written}}, vars={"user": "Ann"})

    (problem,) = check_references(made, ())

    assert problem.endswith(message)


def test_the_steps_of_a_suite_are_those_of_its_cases(tmp_path: Path) -> None:
    """A suite has cases, and they have the steps."""
    file = tmp_path / "suite.yaml"
    file.write_text(textwrap.dedent("suite: S\nsteps:\n- goto: /\n"), encoding="utf-8")

    with pytest.raises(CaseError, match="unknown key 'steps'; it is a key of a case: write it inside 'cases'"):
        load_cases(file)
