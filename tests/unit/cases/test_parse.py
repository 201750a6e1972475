"""Reading documents: what is accepted, and the exact words for what is not."""

from __future__ import annotations

from typing import Any

import pytest

from qa_queue.cases.actions import (
    Clear,
    Click,
    Expect,
    Fill,
    Goto,
    Press,
    Reload,
    Screenshot,
    Select,
    SetViewport,
    Upload,
    WaitFor,
)
from qa_queue.cases.checks import (
    ToBeChecked,
    ToBeHidden,
    ToBeVisible,
    ToHaveCount,
    ToHaveText,
    ToHaveTitle,
    ToHaveURL,
)
from qa_queue.cases.reader import parse_case
from qa_queue.cases.targets import Target
from qa_queue.errors import CaseError
from qa_queue.models import EvidenceMode, Viewport
from tests.unit.cases.support import case, problems_of


def test_a_full_case_keeps_every_setting():
    """Each key of a case lands in the model, durations as ms."""
    made = case(
        version=1,
        id="order",
        base_url="http://127.0.0.1:8080",
        tags=["smoke"],
        retries=2,
        timeout="1.5m",
        trace="on-first-retry",
        heal="off",
        vars={"user": "ann"},
        use={"browser": "chromium", "device": None, "viewport": "1024x768", "storage_state": None},
    )

    assert (made.key, made.base_url, made.tags, made.retries) == ("order", "http://127.0.0.1:8080", ("smoke",), 2)
    assert (made.timeout_ms, made.trace, made.heal) == (90_000, EvidenceMode.ON_FIRST_RETRY, "off")
    assert made.vars == {"user": "ann"}
    assert made.use.viewport == Viewport(width=1024, height=768)


def test_every_field_of_a_step_is_read():
    """Fields beside the action belong to the step."""
    step = case(
        {
            "click": "#go",
            "id": "go",
            "name": "Go on",
            "timeout": "2s",
            "optional": True,
            "soft": True,
            "always_run": True,
            "screenshot": True,
            "heal": "suggest",
        }
    ).steps[0]

    assert (step.action, step.id, step.name, step.timeout_ms) == ("click", "go", "Go on", 2_000)
    assert (step.optional, step.soft, step.always_run, step.screenshot, step.heal) == (
        True,
        True,
        True,
        True,
        "suggest",
    )


@pytest.mark.parametrize(
    ("written", "args"),
    [
        ({"goto": "/login"}, Goto(url="/login")),
        ({"goto": {"url": "/login"}}, Goto(url="/login")),
        ({"click": "#go"}, Click(target=Target(selector="#go"))),
        ({"click": {"target": "#go", "button": "right"}}, Click(target=Target(selector="#go"), button="right")),
        (
            {"click": {"target": "#go", "position": [1, 2.5]}},
            Click(target=Target(selector="#go"), position=(1, 2.5)),
        ),
        ({"fill": {"target": {"label": "Email"}, "value": ""}}, Fill(target=Target(label="Email"), value="")),
        ({"press": "Enter"}, Press(key="Enter")),
        ({"press": {"key": "Enter", "target": "#q"}}, Press(key="Enter", target=Target(selector="#q"))),
        ({"upload": {"target": "#f", "files": "a.txt"}}, Upload(target=Target(selector="#f"), files=("a.txt",))),
        ({"wait_for": "#x"}, WaitFor(target=Target(selector="#x"))),
        ({"wait_for": {"url": "**/home"}}, WaitFor(url="**/home")),
        ({"wait_for": {"target": "#x", "count": 2}}, WaitFor(target=Target(selector="#x"), count=2)),
        ({"screenshot": None}, Screenshot()),
        ({"screenshot": True}, Screenshot()),
        ({"screenshot": "cart"}, Screenshot(name="cart")),
        ({"set_viewport": "400x800"}, SetViewport(width=400, height=800)),
        ({"set_viewport": {"width": 400, "height": 800}}, SetViewport(width=400, height=800)),
        ({"expect": {"url": "**/home"}}, Expect(check=ToHaveURL(url="**/home"))),
        ({"expect": {"to_have_title": "Home"}}, Expect(check=ToHaveTitle(title="Home"))),
        (
            {"expect": {"target": "#x", "to_have_count": 0}},
            Expect(check=ToHaveCount(target=Target(selector="#x"), count=0)),
        ),
        (
            {"expect": {"target": "#x", "text": "a", "not": True}},
            Expect(check=ToHaveText(target=Target(selector="#x"), text="a", negate=True)),
        ),
        (
            {"expect": {"target": "#x", "to_be_hidden": True}},
            Expect(check=ToBeHidden(target=Target(selector="#x"), hidden=True)),
        ),
        (
            {"expect": {"visible": {"text": "Hi"}}},
            Expect(check=ToBeVisible(target=Target(text="Hi"), visible=True)),
        ),
        ({"click": {"role": "button", "name": "Go"}}, Click(target=Target(role="button", name="Go"))),
        ({"click": {"css": "#a", "button": "right"}}, Click(target=Target(css="#a"), button="right")),
        ({"fill": {"label": "Email", "value": "x"}}, Fill(target=Target(label="Email"), value="x")),
        ({"press": {"label": "Find", "key": "Enter"}}, Press(key="Enter", target=Target(label="Find"))),
        ({"reload": True}, Reload()),
        ({"reload": None}, Reload()),
        ({"clear": "#a"}, Clear(target=Target(selector="#a"))),
    ],
)
def test_each_written_form_is_read(written: dict[str, Any], args: Any):
    """Bare and full forms of the actions, and both names of the checks."""
    assert case(written).steps[0].args == args


@pytest.mark.parametrize(("negate", "wanted"), [({}, True), ({"not": True}, False)])
def test_a_check_given_as_false_is_its_opposite(negate: dict[str, bool], wanted: bool):
    """`checked: false` asserts that the box is not checked; with `not` the two cancel out."""
    args = case({"expect": {"target": "#x", "checked": False, **negate}}).steps[0].args

    assert args == Expect(check=ToBeChecked(target=Target(selector="#x"), checked=True, negate=wanted))


@pytest.mark.parametrize(
    "check", [{"expect": {"css": "a", "text": "x"}}, {"check": {"value": "${uuid}", "equals": "x"}}]
)
def test_soft_may_stand_in_the_check(check: dict[str, Any]):
    """It is the step that goes on after a failure."""
    ((word, args),) = check.items()

    assert case({word: {**args, "soft": True}}).steps[0] == case({**check, "soft": True}).steps[0]


def test_a_condition_may_be_written_as_a_step():
    """People write in `if` what they would write in a step."""
    plain = case({"click": "#go", "if": {"visible": "#a"}}).steps[0]

    assert case({"click": "#go", "if": {"expect": {"visible": "#a"}}}).steps[0] == plain


def test_the_field_of_a_choice_may_be_named_by_its_label():
    """A label beside a value is not that of the option, which has one name."""
    args = case({"select": {"label": "Size", "value": "l", "nth": 0}}).steps[0].args

    assert args == Select(target=Target(label="Size", nth=0), value="l")


def test_screenshot_beside_an_action_is_a_field():
    """The word is an action only where it stands alone."""
    step = case({"click": "#go", "screenshot": True}).steps[0]

    assert (step.action, step.screenshot) == ("click", True)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"clik": "#go"}, "steps[0].clik: unknown action 'clik'; did you mean 'click'?"),
        (
            {"accessibility": True},
            "steps[0].accessibility: unknown action 'accessibility'; it is a check: "
            "write `expect: {accessibility: ...}`",
        ),
        (
            {"to_be_visible": "#a"},
            "steps[0].to_be_visible: unknown action 'to_be_visible'; it is a check: "
            "write `expect: {to_be_visible: ...}`",
        ),
        (
            {"click": "#a", "fill": {}},
            "steps[0]: 'click' and 'fill' are two actions in one step: write a step for each",
        ),
        ({}, "steps[0]: has no action, such as goto, click or expect"),
        ({"name": "x"}, "steps[0]: has no action, such as goto, click or expect"),
        ("click", "steps[0]: expected a step such as {click: \"#go\"}, got 'click'"),
        ({"goto": "/", "tiemout": 1}, "steps[0].tiemout: unknown key 'tiemout'; did you mean 'timeout'?"),
        (
            {"goto": "/", "save_as": "x"},
            "steps[0]: 'save_as' does not go with this 'goto', which leaves no result to be named",
        ),
        ({"goto": None}, "steps[0].goto: expected text, got nothing"),
        ({"goto": 5}, "steps[0].goto: expected text, got the number 5; put it in quotes"),
        ({"goto": ["/"]}, "steps[0].goto: expected text, got a list"),
        (
            {"goto": "/", "timeout": "5 parsecs"},
            "steps[0].timeout: '5 parsecs' is not a duration: write 500ms, 5s, 1m or a number of milliseconds",
        ),
        ({"goto": "/", "timeout": 0}, "steps[0].timeout: the number 0 is out of range: 1ms to 24h"),
        (
            {"goto": "/", "timeout": True},
            "steps[0].timeout: true is not a duration: write 500ms, 5s, 1m or a number of milliseconds",
        ),
        ({"goto": "/", "soft": "yes"}, "steps[0].soft: expected true or false, got 'yes'"),
        (
            {"goto": "/", "heal": "sugest"},
            "steps[0].heal: 'sugest' is not one of off, suggest, auto; did you mean 'suggest'?",
        ),
        ({"fill": {"target": "#a"}}, "steps[0].fill: 'value' is missing"),
        ({"fill": "#a"}, "steps[0].fill: expected a mapping with 'target' and 'value', got '#a'"),
        (
            {"fill": {"target": "#a", "value": 7}},
            "steps[0].fill.value: expected text, got the number 7; put it in quotes",
        ),
        (
            {"click": {"css": "#a", "target": "#b"}},
            "steps[0].click.css: 'css' belongs to the target: write it under 'target'",
        ),
        ({"click": {"rol": "button"}}, "steps[0].click.rol: unknown key 'rol'; did you mean 'role'?"),
        (
            {"click": {"css": "a", "buton": "right"}},
            "steps[0].click.buton: unknown key 'buton'; did you mean 'button'?",
        ),
        (
            {"select": {"label": "Size"}},
            "steps[0].select: 'label' is that of the option: name the field under 'target'",
        ),
        ({"reload": "now"}, "steps[0].reload: expected true, got 'now'"),
        ({"expect": {"tex": "x"}}, "steps[0].expect.tex: unknown check 'tex'; did you mean 'text'?"),
        (
            {"expect": {"visible": {"rol": "b"}}},
            "steps[0].expect.visible.rol: unknown key 'rol'; did you mean 'role'?",
        ),
        ({"goto": "/", "name": None}, "steps[0].name: is empty: give a value, or remove the key"),
        (
            {"click": {"target": {}}},
            "steps[0].click.target: does not name an element: give one of role, label, text, ",
        ),
        (
            {"click": {"target": {"css": "a", "text": "b"}}},
            "steps[0].click.target: 'text' and 'css' each name an element: keep one, ",
        ),
        ({"click": {"target": {"css": "a", "level": 1}}}, "steps[0].click.target: 'level' goes with 'role' only"),
        (
            {"click": {"target": {"css": "a", "first": True, "nth": 1}}},
            "steps[0].click.target: 'nth' and 'first' exclude each other",
        ),
        (
            {"click": {"target": {"css": "a", "has": {"css": "b", "frame": "iframe"}}}},
            "steps[0].click.target: 'frame' cannot stand inside 'has': write it beside 'has'",
        ),
        (
            {"click": {"target": {"css": "a", "or": {"css": "b", "fallbacks": ["c"]}}}},
            "steps[0].click.target: 'fallbacks' cannot stand inside 'or': write it beside 'or'",
        ),
        (
            {"click": {"target": {"css": "a", "pressed": True}}},
            "steps[0].click.target: 'pressed' goes with 'role' only",
        ),
        (
            {"click": {"target": {"text": "/a(/i"}}},
            "steps[0].click.target.text: /a(/i is not a regular expression: missing ), unterminated subpattern at "
            "position 1; write \\/a(/i for this text itself",
        ),
        ({"click": {"text": 5}}, "steps[0].click.text: expected text, got the number 5; put it in quotes"),
        ({"click": {"text": ""}}, "steps[0].click.text: must not be empty"),
        (
            {"click": {"target": {"css": "a", "fallbacks": [{"cs": "b"}]}}},
            "steps[0].click.target.fallbacks[0].cs: unknown key 'cs'; did you mean 'css'?",
        ),
        (
            {"click": {"target": {"css": "a", "within": {"rol": "b"}}}},
            "steps[0].click.target.within.rol: unknown key 'rol'; did you mean 'role'?",
        ),
        (
            {"click": {"target": 5}},
            "steps[0].click.target: expected a selector or a mapping such as {role: button}, got the number 5",
        ),
        ({"click": {"target": "#a", "position": [1]}}, "steps[0].click.position: expected 2 items, got 1"),
        ({"upload": {"target": "#a", "files": []}}, "steps[0].upload.files: must not be empty"),
        ({"select": {"target": "#a"}}, "steps[0].select: gives none of value, label, values"),
        (
            {"select": {"target": "#a", "value": "x", "label": "y"}},
            "steps[0].select: 'value' and 'label' exclude each other: write a step for each",
        ),
        ({"wait_for": {"state": "visible"}}, "steps[0].wait_for: 'state' needs 'target'"),
        (
            {"expect": {"target": "#a"}},
            "steps[0].expect: gives none of visible, hidden, attached, ",
        ),
        (
            {"expect": {"target": "#a", "to_be_visible": True, "text": "x"}},
            "steps[0].expect: 'to_be_visible' and 'text' exclude each other: write a step for each",
        ),
        ({"expect": {"visible": True}}, "steps[0].expect: 'visible' needs 'target'"),
        ({"expect": {"target": "#a", "url": "x"}}, "steps[0].expect: 'url' goes without 'target'"),
        (
            {"expect": {"target": "#a", "web_vitals": "x"}},
            "steps[0].expect.web_vitals: unknown check 'web_vitals'",
        ),
        (
            {"expect": {"page": "x"}},
            "steps[0].expect.page: expected a mapping with a check of the page such as {title: Home}, got 'x'",
        ),
        (
            {"expect": {"page": {"title": "A"}, "css": "h1"}},
            "steps[0].expect: 'css' names an element, and 'page' is the page: remove one of them",
        ),
        (
            {"group": {"name": "a", "steps": [{"click": "#a"}]}, "timeout": "3s"},
            "steps[0]: 'timeout' does not go with 'group': write it at the steps inside",
        ),
        (
            {"mouse": {"move": [1, 2], "button": "right"}},
            "steps[0].mouse: 'button' goes with click, dblclick, down and up",
        ),
        (
            {"mouse": {"wheel": [0, 9], "css": "canvas"}},
            "steps[0].mouse: 'target' goes with move, click and dblclick: move the mouse there first",
        ),
        (
            {"download": {"size": "big", "steps": [{"click": "#a"}]}},
            "steps[0].download.size: 'big' is not a size: write 120kB, 2MB or a number of bytes",
        ),
        (
            {"download": {"content": {}, "steps": [{"click": "#a"}]}},
            "steps[0].download.content: gives none of equals, contains, matches, json",
        ),
        ({"expect": {"download": 3}}, "steps[0].expect.download: expected true, the name of a file, or a mapping"),
        (
            {"expect": {"page": {"screenshot": "my cart"}}},
            "steps[0].expect: the name of a screenshot has letters, digits, - and _, as in `screenshot: cart`",
        ),
        ({"expect": {"dialog": 3}}, "steps[0].expect.dialog: expected true, a message, or a mapping"),
        ({"expect": {"target": "#a", "count": {}}}, "steps[0].expect.count: gives none of greater, less, "),
        (
            {"expect": {"target": "#a", "count": {"above": 1}}},
            "steps[0].expect.count.above: unknown key 'above'",
        ),
        (
            {"expect": {"role": "button", "name": "Go"}},
            "steps[0].expect: gives none of visible, hidden, attached, ",
        ),
        (
            {"expect": {"target": "#a", "css": {"a": "b", "c": "d"}}},
            "steps[0].expect.css: expected 1 items, got 2",
        ),
        (
            {"expect": {"target": "#a", "attribute": {"a": True}}},
            "steps[0].expect.attribute.a: expected text, got true",
        ),
        ({"expect": {"target": "#a", "text": []}}, "steps[0].expect.text: must not be empty"),
        ({"expect": {"target": "#a", "value": ["a"]}}, "steps[0].expect.value: expected text, got a list"),
        (
            {"expect": {"target": "#a", "in_viewport": True, "ratio": 2}},
            "steps[0].expect.ratio: 2 is out of range: ",
        ),
        ({"expect": {"target": "#a", "count": -1}}, "steps[0].expect.count: -1 is out of range: 0 to 1000000"),
        ({"set_viewport": "big"}, "steps[0].set_viewport: 'big' is not a size: write 1280x720"),
        ({"set_viewport": "0x9"}, "steps[0].set_viewport: 0 is out of range: 1 to 10000"),
        ({"if": "x"}, "steps[0].if: expected a check such as {visible: {text: Hi}}, or all, any or not, got 'x'"),
    ],
)
def test_each_mistake_in_a_step_has_its_own_words(written: Any, problem: str):
    """The path names the value, the text says what is wrong and what to write."""
    assert any(found.startswith(problem) for found in problems_of(written))


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ({"nam": "x"}, "nam: unknown key 'nam'; did you mean 'name'?"),
        ({"data": []}, "data: has no rows: give at least one, or remove the key"),
        ({"name": ""}, "name: must not be empty"),
        ({"name": "x" * 201}, "name: is 201 characters long; 200 are allowed"),
        ({"steps": []}, "steps: must not be empty"),
        ({"steps": "x"}, "steps: expected a list, got 'x'"),
        ({"steps": None}, "steps: is empty: give a value, or remove the key"),
        ({"version": 2}, "version: the number 2 is not a version that this release reads: it reads 1"),
        ({"tags": "smoke"}, "tags: expected a list, got 'smoke'"),
        ({"retries": 11}, "retries: 11 is out of range: 0 to 10"),
        ({"retries": 1.5}, "retries: expected a whole number, got the number 1.5"),
        ({"dialogs": "acept"}, "dialogs: 'acept' is not one of accept, dismiss; did you mean 'accept'?"),
        (
            {"use": {"storage_state": "a.json"}},
            "use.storage_state: 'a.json' is not the name of a login under 'logins': letters, digits, _ and -",
        ),
        ({"use": []}, "use: expected a mapping such as {viewport: 1280x720}, got a list"),
        ({"vars": {"a b": "x"}}, "vars.a b: a name has letters, digits and _ and does not start with a digit"),
        (
            {"vars": {"a": float("nan")}},
            "vars.a: expected text, a number, true or false, a list or a mapping, got the number nan",
        ),
        ({"vars": "a"}, "vars: expected a mapping, got 'a'"),
        (
            {"trace": "always"},
            "trace: 'always' is not one of off, on, on-failure, on-first-retry, on-failure-and-retries",
        ),
    ],
)
def test_each_mistake_in_a_case_has_its_own_words(overrides: dict[str, Any], problem: str):
    """The keys of a case are checked as those of a step are."""
    assert problem in problems_of(**overrides)


def test_all_problems_are_reported_at_once():
    """One reading finds everything, so that one edit can fix it."""
    assert len(problems_of({"clik": "a"}, {"goto": 1}, {"goto": "/", "timeout": "x"}, tags=1, colour="red")) == 5


def test_a_missing_name_is_reported():
    """A case without a name cannot be identified."""
    with pytest.raises(CaseError, match="'name' is missing"):
        parse_case({"steps": [{"goto": "/"}]}, source="case.yaml")


@pytest.mark.parametrize(("key", "index"), [("first", 0), ("last", -1)])
def test_first_and_last_are_indices(key: str, index: int):
    """They are kept as `nth`."""
    assert case({"click": {"target": {"css": "a", key: True}}}).steps[0].args == Click(
        target=Target(css="a", nth=index)
    )


def test_a_document_that_is_not_a_mapping_is_refused():
    """The top of a case is a mapping."""
    with pytest.raises(CaseError) as caught:
        parse_case([], source="case.yaml")

    assert caught.value.problems == ("case.yaml: expected a mapping with 'name' and 'steps', got a list",)


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        (
            {"use": {"browser": "firefx"}},
            "use.browser: 'firefx' is not one of chromium, firefox, webkit; did you mean",
        ),
        (
            {"use": {"time_zone": "Europe/Berln"}},
            "'Europe/Berln' is not a time zone; did you mean 'Europe/Berlin'?",
        ),
        ({"use": {"locale": "german!"}}, "use.locale: 'german!' is not a locale: write a language and a region"),
        ({"use": {"clock": "noon"}}, "use.clock: 'noon' is not a time: write 2030-01-31T09:00"),
        ({"use": {"channel": "chrom"}}, "did you mean 'chrome'?"),
        ({"use": {"channel": "chrome", "browser": "webkit"}}, "use: 'channel' goes with chromium, not with webkit"),
        ({"use": {"connect": "browsers:3000"}}, "'browsers:3000' is not the address of a browser: write ws://"),
        ({"use": {"connect": {"cdp": "ftp://x"}}}, "use.connect.cdp: 'ftp://x' is not the address of a browser"),
        ({"use": {"permissions": ["geolocaton"]}}, "did you mean 'geolocation'?"),
        ({"use": {"headers": {"a b": "c"}}}, "'a b' is not the name of a header"),
        ({"use": {"headers": {"a": "b\nc: d"}}}, "the value of a header is one line without control characters"),
        ({"use": {"geolocation": {"latitude": 100, "longitude": 1}}}, "100 is out of range: -90 to 90"),
        ({"use": {"http_credentials": {"username": "ann"}}}, "use.http_credentials: 'password' is missing"),
        ({"use": {"dialogs": "accept"}}, "use.dialogs: unknown key 'dialogs'"),
    ],
)
def test_each_mistake_in_the_setup_of_the_browser(overrides: dict[str, Any], part: str):
    """The message has the key, and the nearest name where there is one."""
    (problem,) = problems_of(**overrides)
    assert part in problem


@pytest.mark.parametrize("step", [{"screenshot": "a"}, {"goto": "/", "screenshot": True}])
def test_a_case_without_pictures_takes_none(step: dict[str, Any]):
    """A step that would be ignored is a mistake."""
    with pytest.raises(CaseError, match="'secrets: no-pictures' and a step with a screenshot exclude each other"):
        parse_case({"name": "a", "secrets": "no-pictures", "steps": [step]}, source="a.yaml")
