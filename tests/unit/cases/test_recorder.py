"""Recordings of Chrome DevTools Recorder as cases, and what is said of what could not be carried over."""

from __future__ import annotations

from typing import Any

import pytest

from qa_queue.cases.actions import (
    Click,
    DoubleClick,
    Fill,
    Goto,
    Hover,
    Offline,
    Press,
    Scroll,
    SetViewport,
    SwitchPage,
    WaitFor,
)
from qa_queue.cases.document_path import DocumentPath, ProblemReport
from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.importers.recorder import convert_recording, is_recording
from qa_queue.cases.model import Target
from qa_queue.cases.reader import parse_case
from qa_queue.cases.steps import Action
from qa_queue.cases.values import Scope, check_references, resolve_step
from qa_queue.errors import CaseError
from qa_queue.models import Viewport
from tests.unit.cases.support import converted

GO = {"selectors": [["aria/Go"], ["#go"]], "target": "main", "offsetX": 5, "offsetY": 5}
AT = (5.0, 5.0)
GO_TARGET = Target(name="Go", exact=True, fallbacks=(Target(css="#go"),))
BOX = {"selectors": [["aria/Newsletter"], ["#letter"]]}
NAMED_BOX = Target(name="Newsletter", exact=True, fallbacks=(Target(css="#letter"),))


def click(**overrides: Any) -> dict[str, Any]:
    """A recorded click."""
    return {"type": "click"} | GO | overrides


def key(name: str, kind: str = "keyDown") -> dict[str, Any]:
    """A recorded key event."""
    return {"type": kind, "key": name, "target": "main"}


def pressed(*names: str) -> list[dict[str, Any]]:
    """Keys pressed and released one after the other."""
    return [key(name, kind) for name in names for kind in ("keyDown", "keyUp")]


def actions(*steps: dict[str, Any]) -> list[tuple[str, Action]]:
    """The actions that these steps become, after the opening of the page."""
    return [(step.action, step.args) for step in converted(*steps).case.steps[1:]]


def notes(*steps: dict[str, Any]) -> tuple[str, ...]:
    """The notes about these steps; the first of them is step 2."""
    return converted(*steps).notes


@pytest.mark.parametrize(
    ("step", "action", "args"),
    [
        (click(), "click", Click(target=GO_TARGET, recorded_at=AT)),
        (click(offsetX=1200, offsetY=40.512), "click", Click(target=GO_TARGET, recorded_at=(1200, 40.5))),
        (click(offsetX=None), "click", Click(target=GO_TARGET)),
        (click(duration=800.5), "click", Click(target=GO_TARGET, recorded_at=AT, delay_ms=800)),
        (click(duration=90), "click", Click(target=GO_TARGET, recorded_at=AT)),
        (click(button="secondary"), "click", Click(target=GO_TARGET, button="right", recorded_at=AT)),
        (click(button="auxiliary"), "click", Click(target=GO_TARGET, button="middle", recorded_at=AT)),
        (click(type="doubleClick"), "dblclick", DoubleClick(target=GO_TARGET, recorded_at=AT)),
        (GO | {"type": "hover"}, "hover", Hover(target=GO_TARGET, recorded_at=AT)),
        ({"type": "hover", "selectors": GO["selectors"]}, "hover", Hover(target=GO_TARGET)),
        (GO | {"type": "change", "value": "ann"}, "fill", Fill(target=GO_TARGET, value="ann", keep_checked=True)),
        ({"type": "navigate", "url": "https://shop.example/a?b#c"}, "goto", Goto(url="/a?b#c")),
        ({"type": "navigate", "url": "https://pay.example/"}, "goto", Goto(url="https://pay.example/")),
        ({"type": "scroll", "x": 0, "y": 1500}, "scroll", Scroll(to=(0, 1500))),
        ({"type": "scroll"}, "scroll", Scroll(to=(0, 0))),
        (GO | {"type": "scroll", "y": 90.5}, "scroll", Scroll(target=GO_TARGET, to=(0, 90.5))),
        (
            {"type": "scroll", "y": 9, "frame": [1]},
            "scroll",
            Scroll(target=Target(css="html", frame=Target(selector="attached-frame=1")), to=(0, 9)),
        ),
        ({"type": "setViewport", "width": 400, "height": 800}, "set_viewport", SetViewport(width=400, height=800)),
    ],
)  # fmt: skip
def test_each_step_has_its_action(step: dict[str, Any], action: str, args: Action):
    """One recorded step, one action."""
    assert actions(step) == [(action, args)]
    assert notes(step) == ()


def test_a_recording_becomes_a_case_of_its_own_site():
    """Title, first page, and the viewport it begins with."""
    document = {
        "title": " Order ",
        "steps": [
            {"type": "setViewport", "width": 400, "height": 812, "isMobile": False},
            {"type": "navigate", "url": "https://shop.example", "assertedEvents": [{"type": "navigation"}]},
            click(),
        ],
    }
    made = convert_recording(DocumentPath(ProblemReport("recording.json")), document).case

    assert (made.name, made.base_url) == ("Order", "https://shop.example")
    assert made.use.viewport == Viewport(width=400, height=812)
    assert [step.action for step in made.steps] == ["goto", "click"]
    assert made.steps[0].args == Goto(url="/")
    assert parse_case(case_document(made), source="case.json") == made


@pytest.mark.parametrize(("title", "name"), [("", "order"), ("x" * 300, "x" * 200), (5, "order")])
def test_the_name_comes_from_the_title_else_from_the_file(title: Any, name: str):
    """A recording without a title still gets a name."""
    made = convert_recording(
        DocumentPath(ProblemReport("order.json")), {"title": title, "steps": [click()]}, default_name="order"
    )

    assert made.case.name == name


@pytest.mark.parametrize(
    ("flow", "step", "timeout_ms"),
    [
        ({}, {}, None),
        ({"timeout": 5000}, {}, None),
        ({"timeout": 9000}, {}, 9000),
        ({"timeout": 9000}, {"timeout": 100}, 100),
    ],
)
def test_the_steps_timeout_wins_over_the_flows(flow: dict[str, int], step: dict[str, int], timeout_ms: int | None):
    """5 s is the default of both."""
    assert converted(click(**step), **flow).case.steps[1].timeout_ms == timeout_ms


NAVIGATION = [{"type": "navigation", "url": "x", "title": "y"}]


@pytest.mark.parametrize(
    "steps",
    [
        (click(assertedEvents=NAVIGATION),),
        (click(), BOX | {"type": "change", "value": "a", "assertedEvents": NAVIGATION}),
        (key("Enter") | {"assertedEvents": NAVIGATION}, key("Enter", "keyUp")),
        (key("Enter"), key("Enter", "keyUp") | {"assertedEvents": NAVIGATION}),
    ],
)
def test_a_step_that_opened_a_page_waits_for_it(steps: tuple[dict[str, Any], ...]):
    """Only this step: the navigation of a keyUp is that of its press."""
    made = converted(*steps)

    assert [step.navigates for step in made.case.steps] == [False] * (len(made.case.steps) - 1) + [True]
    assert made.notes == ()


def test_a_recorded_wait_that_saw_a_navigation_waits_for_the_load():
    """The navigation may have begun before the wait did."""
    wait = {"type": "waitForElement", "selectors": ["#a"], "assertedEvents": NAVIGATION}

    assert actions(wait)[-1] == ("wait_for", WaitFor(load_state="load"))


def test_an_event_of_another_type_is_reported():
    """Nothing waits for it, and a note says so."""
    made = converted(click(assertedEvents=[{"type": "popup"}, "x"]))

    assert made.notes == ("step 2 (click): the event 'popup' is not awaited",)
    assert not made.case.steps[1].navigates


@pytest.mark.parametrize(
    "text", ["${to}", "${env.HOME}", "$${x}", "$${env.HOME", "{$from} $ {a}", "${secret.X:-1}"]
)
def test_recorded_text_is_never_a_value(text: str):
    """Typed text, selectors, URLs and the title have no values."""
    steps = (
        BOX | {"type": "change", "value": text},
        click(selectors=[f"text/{text}"]),
        {"type": "navigate", "url": f"https://other.example/{text}"},
    )
    case = converted(*steps, title=f"Pay {text}").case
    resolved = [resolve_step(step, Scope(env={"HOME": "/root"})).args for step in case.steps]

    assert check_references(case, {"HOME"}) == ()
    assert isinstance(resolved[1], Fill)
    assert resolved[1].value == text
    assert resolved[3] == Goto(url=f"https://other.example/{text}")


@pytest.mark.parametrize(
    ("events", "chords"),
    [
        (pressed("Tab"), ["Tab"]),
        (pressed("Tab", "Tab"), ["Tab", "Tab"]),
        ([key("Enter")], ["Enter"]),
        ([key("Control"), *pressed("a"), key("Control", "keyUp")], ["Control+a"]),
        ([key("ControlLeft"), key("ShiftLeft"), *pressed("T"), key("ShiftLeft", "keyUp")], ["Control+Shift+T"]),
        ([key("Shift"), *pressed("ArrowDown", "ArrowDown"), key("Shift", "keyUp")], ["Shift+ArrowDown"] * 2),
        (pressed("Alt"), ["Alt"]),
        ([key("Meta")], ["Meta"]),
        (pressed(" ", "\r"), ["Space", "Enter"]),
        ([key("Tab"), key("a"), key("Tab", "keyUp"), key("a", "keyUp")], ["Tab", "a"]),
    ],
)
def test_key_events_become_presses(events: list[dict[str, Any]], chords: list[str]):
    """A pair is one press; a modifier joins the keys that are pressed while it is down."""
    assert actions(*events) == [("press", Press(key=chord)) for chord in chords]
    assert notes(*events) == ()


def test_a_click_while_a_modifier_is_held_holds_it_too():
    """As the keys did that were held when it was recorded."""
    held = (key("ControlLeft"), key("Shift"), click(), key("Shift", "keyUp"), key("ControlLeft", "keyUp"))

    (made,) = actions(*held)
    assert made == ("click", Click(target=GO_TARGET, recorded_at=AT, modifiers=("Control", "Shift")))
    assert notes(*held) == ()


@pytest.mark.parametrize("value", ["on", "1", "0", "accepted", ""])
def test_a_change_of_a_ticked_box_keeps_its_state(value: str):
    """Its value is the same whether the box was ticked or unticked; the click has done that."""
    steps = ({"type": "click", "offsetX": 3, "offsetY": 3} | BOX, {"type": "change", "value": value} | BOX)

    assert [action for action, _ in actions(*steps)] == ["click", "fill"]
    assert actions(*steps)[1][1] == Fill(target=NAMED_BOX, value=value, keep_checked=True)
    assert notes(*steps) == ()


LABEL = {"type": "click", "selectors": ["form > label"], "offsetX": 200, "offsetY": 9}


@pytest.mark.parametrize(
    ("label", "box", "change"),
    [
        (LABEL, {"offsetX": 220, "offsetY": 2}, [{"type": "change", "value": "on"} | BOX]),
        (LABEL, {"offsetX": 30, "offsetY": 2}, [{"type": "change", "value": "accepted"} | BOX]),
        (LABEL, {"offsetX": 30, "offsetY": 2}, []),
        (LABEL | {"selectors": ["xpath///form/label[2]"]}, {"offsetX": 30, "offsetY": 2}, []),
        (LABEL | {"selectors": ["#a > span", "text/Newsletter"]}, {"offsetX": -30, "offsetY": 2}, []),
        (LABEL | {"selectors": ["aria/Newsletter", "span.caption"]}, {"offsetX": 30, "offsetY": 2}, []),
        (
            LABEL | {"selectors": ["div.box"]},
            {"offsetX": 90, "offsetY": 2},
            [{"type": "change", "value": "on"} | BOX],
        ),
    ],
)
def test_a_click_on_a_label_is_not_made_twice(
    label: dict[str, Any], box: dict[str, Any], change: list[dict[str, Any]]
):
    """The browser passes it on to the box, and both are recorded; two clicks would untick it again."""
    steps = (label, {"type": "click"} | BOX | box, *change)
    clicks = [args for action, args in actions(*steps) if action == "click"]

    assert clicks == [Click(target=NAMED_BOX, recorded_at=(box["offsetX"], box["offsetY"]))]
    assert notes(*steps)[0].startswith("step 2 (click): not carried over: it is the same click as the next")


def test_the_label_is_clicked_when_the_box_itself_is_hidden():
    """A box that Chrome knew by no accessible name cannot be clicked itself."""
    box = {"type": "click", "selectors": ["#letter"], "offsetX": -20, "offsetY": 2}
    change = {"type": "change", "value": "on", "selectors": ["#letter"]}

    assert actions(LABEL, box, change)[0] == (
        "click",
        Click(target=Target(css="form > label"), recorded_at=(200, 9)),
    )
    assert len(actions(LABEL, box, change)) == 2


@pytest.mark.parametrize(
    ("other", "box", "change"),
    [
        (click(), {"offsetX": 4, "offsetY": 4}, [{"type": "change", "value": "on"} | BOX]),
        (click(), {"offsetX": 120, "offsetY": 4}, [{"type": "change", "value": "Ann"} | BOX]),
        (LABEL, {"offsetX": 4, "offsetY": 4}, []),
    ],
)
def test_two_separate_clicks_are_both_made(
    other: dict[str, Any], box: dict[str, Any], change: list[dict[str, Any]]
):
    """A click elsewhere and then one on the box, or on a text field."""
    steps = (other, {"type": "click"} | BOX | box, *change)

    assert [action for action, _ in actions(*steps)][:2] == ["click", "click"]
    assert notes(*steps) == ()


def test_a_click_before_a_change_of_a_text_stays():
    """It focuses the field, as the person did."""
    assert [action for action, _ in actions(click(), {"type": "change", "value": "ann"} | GO)] == ["click", "fill"]


@pytest.mark.parametrize(
    ("step", "note"),
    [
        ({"type": "close"}, "(close): not carried over: a run closes its first page at its end"),
        ({"type": "customStep", "name": "blur"}, "(customStep): not carried over: it is a custom step (blur)"),
        (key("Unidentified"), "(keyDown): not carried over: unknown key 'Unidentified'; write a text of several"),
        (key("é"), "(keyDown): not carried over: unknown key 'é'"),
        ({"type": "teleport"}, "(teleport): not carried over: 'teleport' has no counterpart in the case format"),
        (
            {"type": "navigate", "url": "chrome://newtab/"},
            "(navigate): not carried over: chrome://newtab/ is a page of",
        ),
        (
            {"type": "setViewport", "width": 0, "height": 0},
            "(setViewport): not carried over: 0x0 is not a size of a page",
        ),
        (
            {"type": "waitForExpression", "expression": "window.ready"},
            "(waitForExpression): not carried over: a script",
        ),
        (
            {"type": "waitForElement", "selectors": ["#a"], "count": 0},
            "(waitForElement): not carried over: it waits for",
        ),
        (click(button="back"), "(click): not carried over: the mouse button 'back' is not supported"),
        (click(selectors=["aria/"]), "(click): not carried over: none of its selectors can be read"),
        (
            {"type": "change", "value": "C:\\fakepath\\a.png"} | BOX,
            "(change): not carried over: the recording lacks",
        ),
    ],
)
def test_what_is_not_carried_over_is_reported(step: dict[str, Any], note: str):
    """With the step's number and type, and what to do where something can be done."""
    (found,) = notes(step)

    assert found.startswith(f"step 2 {note}")
    assert actions(step) == []


@pytest.mark.parametrize(
    ("step", "note"),
    [
        (click(deviceType="touch"), "step 2 (click): made by touch; the click is made by mouse"),
        (
            click(selectors=["#go", "a::-p-text(x) b"]),
            "step 2 (click): its selector 'a::-p-text(x) b' cannot be read",
        ),
        (
            {"type": "setViewport", "width": 4, "height": 8, "isMobile": True},
            "step 2 (setViewport): only the size is carried over; for touch and a mobile browser set use.device",
        ),
        (
            {"type": "waitForElement", "selectors": ["#a"], "attributes": {"href": 5}},
            "step 2 (waitForElement): attribute href is not compared",
        ),
    ],
)
def test_what_is_carried_over_in_part_is_reported(step: dict[str, Any], note: str):
    """The step is there, without what the note names."""
    assert notes(step) == (note,)
    assert len(actions(step)) == 1


POPUP = "https://shop.example/report?id=1"


@pytest.mark.parametrize(
    ("steps", "made"),
    [
        (
            [click(), click(target=POPUP), click(target=POPUP), {"type": "close", "target": POPUP}, click()],
            ["click", "switch_page", "click", "click", "close_page", "switch_page", "click"],
        ),
        ([click(target=POPUP), click()], ["switch_page", "click", "switch_page", "click"]),
        ([key("Tab") | {"target": POPUP}], ["switch_page", "press"]),
        ([click(target=""), click(target=None)], ["click", "click"]),
        ([click(target=POPUP, type="customStep"), click()], ["click"]),
    ],
)
def test_steps_of_another_page_switch_to_it(steps: list[dict[str, Any]], made: list[str]):
    """A pop-up is named by its URL; the way back is to the first page."""
    assert [action for action, _ in actions(*steps)] == made


@pytest.mark.parametrize(
    ("url", "switch"),
    [
        (POPUP, SwitchPage(url="/report?id=1")),
        ("https://pay.example/a,b", SwitchPage(url="https://pay.example/a,b")),
        ("https://pay.example/${x}*", SwitchPage(url="https://pay.example/$*x**")),
        ("about:blank", SwitchPage(newest=True)),
    ],
)
def test_the_url_of_another_page_is_not_a_pattern(url: str, switch: SwitchPage):
    """Characters of globs stand for any; pages of the own site move with it to another host."""
    assert actions(click(target=url))[0] == ("switch_page", switch)


def test_a_recording_that_opens_no_page_says_so():
    """It would act on a blank one."""
    document = {"title": "Order", "steps": [click()]}

    assert convert_recording(DocumentPath(ProblemReport("recording.json")), document).notes == (
        "the recording opens no page: add a goto step before its first one",
    )


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ({"type": "change", "value": None} | BOX, "'value' should be text, got nothing"),
        ({"type": "navigate"}, "has no 'url'"),
        ({"type": "navigate", "url": "http://["}, "'http://[' is not a URL"),
        ({"type": "setViewport", "width": "400", "height": 8}, "'width' should be a number, got '400'"),
        ({"type": "waitForExpression"}, "has no 'expression'"),
        ({"type": "waitForElement", "selectors": ["#a"], "count": -1}, "'count' should be a whole number"),
        (
            {"type": "waitForElement", "selectors": ["#a"], "operator": "<"},
            "'operator' should be one of ==, >=, <=",
        ),
    ],
)
def test_a_broken_step_is_left_out_alone(step: dict[str, Any], problem: str):
    """The others are those of the recorder; `--strict-import` refuses the recording."""
    made = converted(step)
    (note,) = made.notes

    assert note.startswith(f"step 2 ({step['type']}): not carried over: {problem}")
    assert len(made.case.steps) == 1


@pytest.mark.parametrize(
    ("bytes_per_second", "offline", "note"),
    [(0, True, ""), (-1, False, ""), (50_000, False, "its speed is not emulated; the network is as fast as it is")],
)
def test_the_conditions_of_the_network(bytes_per_second: int, offline: bool, note: str):
    """Chrome's presets "Offline" and "No throttling" are `offline`; a slow network is only back again."""
    speed = {"download": bytes_per_second, "upload": bytes_per_second, "latency": 0}
    made = converted({"type": "emulateNetworkConditions"} | speed)

    assert made.notes == ((f"step 2 (emulateNetworkConditions): {note}",) if note else ())
    assert made.case.steps[-1].args == Offline(value=offline)


@pytest.mark.parametrize(
    ("step", "missing"),
    [
        ({"type": "click"}, "selectors"),
        ({"type": "click", "selectors": []}, "selectors"),
        ({"type": "hover"}, "selectors"),
        ({"type": "change", "value": "x"}, "selectors"),
        ({"type": "keyDown"}, "key"),
        ({"type": "keyUp"}, "key"),
    ],
)
def test_only_the_step_without_key_or_selectors_is_dropped(step: dict[str, Any], missing: str):
    """The other steps are converted, and a note names the one that is not."""
    result = converted(step, click())

    assert [type(kept.args) for kept in result.case.steps] == [Goto, Click]
    assert result.notes == (f"step 2 ({step['type']}): not carried over: it has no {missing!r}",)


def test_a_recording_without_a_title_takes_the_default_name():
    """The steps alone identify a recording."""
    document = {"steps": [{"type": "navigate", "url": "https://shop.example/"}, click()]}

    assert is_recording(document)
    place = DocumentPath(ProblemReport("recording.json"))
    assert convert_recording(place, document, default_name="order").case.name == "order"


def test_a_case_without_a_name_is_not_a_recording():
    """A case's `type` is an action and holds a mapping."""
    assert not is_recording({"steps": [{"type": {"label": "Name", "value": "Ann"}}]})
    assert not is_recording({"steps": [{"type": "Ann"}]})


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ([], "steps: the recording has no step that can be carried over"),
        ([{"type": "customStep"}], "steps: the recording has no step that can be carried over"),
        ([{"type": "customStep"}, "x"], "steps[1]: expected a recorded step, got 'x'"),
    ],
)
def test_a_recording_of_nothing_is_refused(steps: list[Any], problem: str):
    """There is nothing to run."""
    with pytest.raises(CaseError) as caught:
        convert_recording(DocumentPath(ProblemReport("r.json")), {"title": "Order", "steps": steps})

    assert caught.value.problems == (f"r.json: {problem}",)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"title": "a", "steps": [{"type": "click"}]}, True),
        ({"title": "a", "steps": []}, True),
        ({"title": "a", "steps": [{"type": "click"}, "x"]}, True),
        ({"name": "a", "title": "a", "steps": [{"type": "click"}]}, False),
        ({"title": "a", "steps": [{"action": "click", "stepNumber": 1}]}, False),
        ({"name": "a", "steps": [{"type": {"target": "#a", "value": "x"}}]}, False),
        ({"title": "a"}, False),
        ([], False),
        (None, False),
    ],
)
def test_recordings_are_distinguished_from_cases(document: Any, expected: bool):
    """By their title and by steps that have a type."""
    assert is_recording(document) is expected
