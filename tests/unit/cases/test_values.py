"""`${...}`: found, checked where the run is submitted, filled in where it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qa_queue.cases.actions import Click, Fill, Goto, Upload
from qa_queue.cases.model import Target
from qa_queue.cases.reader import load_cases
from qa_queue.cases.references import pieces
from qa_queue.cases.values import Reference, Scope, check_references, references, resolve, resolve_step, scope_for
from qa_queue.errors import CaseError
from tests.unit.cases.support import case, write

SCOPE = Scope(env={"HOST": "shop.example", "EMPTY": ""}, variables={"user": "ann"}, secrets={"PASSWORD": "s3cret"})


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("", ""),
        ("http://${env.HOST}/${var.user}", "http://shop.example/ann"),
        ("${secret.PASSWORD}", "s3cret"),
        ("${env.NONE:-http://127.0.0.1:8080}", "http://127.0.0.1:8080"),
        ("${env.NONE:-}", ""),
        ("${env.HOST:-other}", "shop.example"),
        ("${env.EMPTY:-other}", ""),
        ("$${env.HOST}", "${env.HOST}"),
        ("costs $5 and {x}", "costs $5 and {x}"),
        ("a$${b}${var.user}", "a${b}ann"),
    ],
)
def test_texts_are_filled_in(text: str, filled: str):
    """A default counts only where there is no value; `$${` is a plain `${`."""
    assert resolve(text, SCOPE) == filled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${env.NONE}", r"\$\{env\.NONE\} has no value: set it in the environment or give --env NONE=\.\.\."),
        ("${var.NONE}", r"\$\{var\.NONE\} has no value: add it under 'vars' of the case, or save it in a step"),
        ("${secret.NONE}", r"\$\{secret\.NONE\} has no value: set QA_SECRET_NONE for the workers"),
        ("${env.HOST", "is not closed"),
        ("${env.A:-${env.B}}", "holds another"),
        ("${data.user}", "has no value: add it to the rows under 'data' of the case"),
        ("${user}", "is not a value: write"),
        ("${env.}", "is not a value: write"),
        ("${enw.X}", "is not a value: write"),
    ],
)
def test_what_cannot_be_filled_in_is_refused(text: str, message: str):
    """The message says what to set, and where."""
    with pytest.raises(CaseError, match=message):
        resolve(text, SCOPE)


def test_the_references_of_a_long_text_are_read_in_one_pass():
    """A copy of the rest at each of them would take minutes."""
    found = list(pieces("${env.A}$${" * 200_000))
    assert (len(found), set(found)) == (600_001, {"", "${", Reference("env", "A")})


def test_every_text_of_a_step_is_filled_in():
    """Arguments, targets at any depth, files and the step's name."""
    written = case(
        {"goto": "http://${env.HOST}/"},
        {
            "fill": {
                "target": {
                    "label": "${var.user}",
                    "within": {"css": "#${var.user}"},
                    "fallbacks": [{"css": ".${var.user}"}],
                },
                "value": "${secret.PASSWORD}",
            },
            "name": "Fill in ${var.user}",
        },
        {"upload": {"target": "#f", "files": ["a.txt", "${var.user}.txt"]}},
        vars={"user": "bob"},
    )
    goto, fill, upload = (resolve_step(step, SCOPE) for step in written.steps)

    assert goto.args == Goto(url="http://shop.example/")
    assert fill.name == "Fill in ann"
    target = Target(label="ann", within=Target(css="#ann"), fallbacks=(Target(css=".ann"),))
    assert fill.args == Fill(target=target, value="s3cret")
    assert upload.args == Upload(target=Target(selector="#f"), files=("a.txt", "ann.txt"))


def test_a_step_without_references_stays_as_it_is():
    """Nothing but texts is touched."""
    step = case({"click": {"target": {"role": "button", "exact": True, "nth": 2}, "position": [1, 2]}}).steps[0]

    assert resolve_step(step, SCOPE) == step
    assert isinstance(resolve_step(step, SCOPE).args, Click)


def test_variables_are_filled_in_from_the_environment():
    """A variable may be built from `${env.X}`."""
    made = case({"goto": "/"}, vars={"user": "${env.NAME:-ann}@example.org"})

    assert scope_for(made, {"NAME": "bob"}, {"A": "b"}) == Scope(
        env={"NAME": "bob"}, variables={"user": "bob@example.org"}, secrets={"A": "b"}
    )


def test_secrets_are_not_shown_by_a_scope():
    """A scope that lands in a log line keeps them."""
    assert "s3cret" not in repr(SCOPE)


def test_references_are_collected_from_everywhere():
    """So that a producer knows which values to send along."""
    made = case(
        {"fill": {"target": {"css": "${var.user}"}, "value": "${secret.PASSWORD}"}},
        base_url="${env.BASE_URL:-http://127.0.0.1}",
        vars={"user": "${env.NAME}"},
    )

    assert references(made) == {
        Reference("env", "BASE_URL", "http://127.0.0.1"),
        Reference("env", "NAME"),
        Reference("var", "user"),
        Reference("secret", "PASSWORD"),
    }


@pytest.mark.parametrize(
    ("step", "overrides", "problem"),
    [
        (
            {"goto": "${env.BASE_URI}"},
            {},
            "steps[0].goto.url: ${env.BASE_URI} has no value; did you mean 'BASE_URL'?",
        ),
        (
            {"goto": "${env.ZZZ}"},
            {},
            "steps[0].goto.url: ${env.ZZZ} has no value; known are BASE_URL",
        ),
        (
            {"goto": "${var.usr}"},
            {"vars": {"user": "a"}},
            "steps[0].goto.url: ${var.usr} has no value; did you mean 'user'?",
        ),
        (
            {"goto": "${var.user}"},
            {},
            "steps[0].goto.url: ${var.user} has no value: add it under 'vars' of the case",
        ),
        (
            {"goto": "${data.user}"},
            {},
            "steps[0].goto.url: ${data.user} has no value: add it to the rows under 'data'",
        ),
        (
            {"goto": "${secret.X}"},
            {},
            "steps[0].goto.url: ${secret.X} would stay readable in reports here: use ${env.X}",
        ),
        (
            {"request": {"get": "/", "params": {"key": "${secret.X}"}}},
            {},
            "steps[0].request.params.key: ${secret.X} would stay readable in reports here",
        ),
        (
            {"screenshot": "${secret.X}"},
            {},
            "steps[0].screenshot.name: ${secret.X} would stay readable in reports here",
        ),
        (
            {"click": "#a", "name": "${secret.X}"},
            {},
            "steps[0].name: ${secret.X} would stay readable in reports here",
        ),
        ({"click": "#a", "id": "${secret.X}"}, {}, "steps[0].id: ${secret.X} would stay readable in reports here"),
        ({"goto": "/"}, {"base_url": "${secret.X}"}, "base_url: ${secret.X} would stay readable in reports here"),
        (
            {"goto": "/"},
            {"vars": {"a": "${secret.X}"}},
            "vars.a: ${secret.X} cannot stand in a variable: a variable may contain ${env.X}, ${data.X}",
        ),
        ({"goto": "/"}, {"vars": {"a": "${var.a}"}}, "vars.a: ${var.a} cannot stand in a variable"),
        (
            {"goto": "/"},
            {"name": "For ${env.BASE_URL}"},
            "name: ${env.BASE_URL} stands in text that is never filled in: write it out",
        ),
        (
            {"goto": "/"},
            {"tags": ["${secret.X}"]},
            "tags[0]: ${secret.X} stands in text that is never filled in: write it out",
        ),
        (
            {"click": {"target": {"css": "a", "fallbacks": ["${env.X"]}}},
            {},
            "steps[0].click.target.fallbacks[0].selector: ${env.X is not closed",
        ),
    ],
)
def test_each_wrong_reference_is_reported(step: Any, overrides: dict[str, Any], problem: str):
    """Before anything is enqueued, with the path and the nearest known name."""
    (found,) = check_references(case(step, **overrides), {"BASE_URL"}, source="case.yaml")

    assert found.startswith(f"case.yaml: {problem}")


def test_good_references_pass():
    """Values, defaults, secrets in fields and targets, and escapes."""
    made = case(
        {"goto": "${env.BASE_URL}/$${x}"},
        {"fill": {"target": {"label": "${secret.USER}"}, "value": "${secret.PASSWORD}"}},
        {"expect": {"target": {"text": "${var.user} ${env.NONE:-x}"}, "visible": True}},
        vars={"user": "${env.BASE_URL}"},
    )

    assert check_references(made, {"BASE_URL"}) == ()


def test_problems_have_the_line_of_their_step(tmp_path: Path):
    """As all problems of a file do."""
    path = write(tmp_path, "name: Order\nsteps:\n- goto: /\n- click: '${env.GO}'\n")
    (made,) = load_cases(path)

    assert check_references(made, (), source="case.yaml") == (
        "case.yaml:4: steps[1].click.target.selector: ${env.GO} has no value: "
        "set it in the environment or give --env GO=...",
    )
