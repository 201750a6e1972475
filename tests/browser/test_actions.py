"""Every action of the case format on a real page."""

from __future__ import annotations

from pathlib import Path

import pytest

from processors.browser.action_context import PERFORMERS
from qa_queue.cases.actions import UseFlow
from qa_queue.cases.steps import ACTIONS, Block
from qa_queue.models import ErrorKind
from tests.browser.conftest import Opener
from tests.support.site import Site
from tests.support.steps import expect, goto, on, step

LIST = '<select id="x" multiple><option value="1">One</option><option value="2">Two</option></select>'


def test_every_action_of_the_format_is_performed() -> None:
    """A new action without a coroutine is noticed."""
    assert set(PERFORMERS) == {action for action in ACTIONS.values() if not issubclass(action, (Block, UseFlow))}


@pytest.mark.parametrize(
    ("html", "action", "args", "asked", "seen"),
    [
        ("<b id=x onclick='this.n=1'>x</b>", "click", {}, "x.n", 1),
        ("<b id=x oncontextmenu='this.n=2'>x</b>", "click", {"button": "right"}, "x.n", 2),
        ("<b id=x onclick='this.n=event.offsetX'>xxxxx</b>", "click", {"position": [7, 3]}, "x.n", 7),
        ("<b id=x onclick='this.n=event.shiftKey'>x</b>", "click", {"modifiers": ["Shift"]}, "x.n", True),
        ("<b id=x onclick='this.n=event.detail'>x</b>", "click", {"click_count": 3}, "x.n", 3),
        (
            "<b id=x onmousedown='a=Date.now()' onmouseup='this.n=Date.now()-a>90'>x",
            "click",
            {"delay": 100},
            "x.n",
            True,
        ),
        ("<b id=x ondblclick='this.n=3'>x</b>", "dblclick", {}, "x.n", 3),
        ("<b id=x ondblclick='this.n=event.offsetX'>xxxxx</b>", "dblclick", {"position": [7, 3]}, "x.n", 7),
        ("<b id=x oncontextmenu='this.n=event.offsetX'>xxxxx</b>", "right_click", {"position": [7, 3]}, "x.n", 7),
        ("<b id=x onmousemove='this.n=event.offsetX'>xxxxx</b>", "hover", {"position": [7, 3]}, "x.n", 7),
        ("<b id=x onmouseover='this.n=4'>x</b>", "hover", {}, "x.n", 4),
        ("<input id=x value=old>", "fill", {"value": "new"}, "x.value", "new"),
        ("<p id=x contenteditable>old</p>", "fill", {"value": "new"}, "x.textContent", "new"),
        (LIST, "fill", {"value": "2"}, "x.value", "2"),
        ("<input id=x type=checkbox>", "fill", {"value": "on"}, "x.checked", True),
        ("<input id=x type=checkbox checked>", "fill", {"value": "false"}, "x.checked", False),
        ("<input id=x type=radio>", "fill", {"value": "a"}, "x.checked", True),
        ("<input id=x oninput='this.n=(this.n||0)+1'>", "type", {"value": "abc"}, "[x.value, x.n]", ["abc", 3]),
        ("<input id=x onkeydown='this.n=event.key'>", "press", {"key": "Enter"}, "x.n", "Enter"),
        ("<input id=x value=old oninput='this.n=this.value'>", "clear", {}, "[x.value, x.n]", ["", ""]),
        ("<input id=x type=checkbox>", "check", {}, "x.checked", True),
        ("<input id=x type=checkbox checked>", "uncheck", {}, "x.checked", False),
        (LIST, "select", {"value": "2"}, "x.value", "2"),
        (LIST, "select", {"label": "Two"}, "x.value", "2"),
        (
            LIST,
            "select",
            {"values": ["1", "2"]},
            "x.selectedOptions.length",
            2,
        ),
    ],
)
async def test_action_does_its_work(
    visit: Opener, html: str, action: str, args: dict[str, object], asked: str, seen: object
) -> None:
    """Each action changes the page as a person would."""
    page = await visit(html)
    await page.passes(on(action, "#x", **args))
    assert await page.js(asked) == seen


async def test_force_acts_on_what_is_covered(visit: Opener) -> None:
    """The element under the point gets the event, whatever it is."""
    page = await visit(
        "<button id=x>Go</button><div onclick='this.n = 1' id=top style='position:fixed;inset:0'></div>"
    )
    await page.passes(on("click", "#x", force=True))
    assert await page.js("document.getElementById('top').n") == 1


async def test_tap_needs_a_device_with_touch(visit: Opener) -> None:
    """A phone is tapped; a desktop is not, which is the case's fault."""
    html = "<b id=x ontouchstart='this.n = 1'>x</b>"
    phone = await visit(html, device="iPhone 15")
    await phone.passes(on("tap", "#x"))
    assert await phone.js("x.n") == 1
    outcome = await (await visit(html)).do(on("tap", "#x"))
    assert (outcome.kind, outcome.error) == (
        ErrorKind.INPUT,
        "the page has no touch: give the case a device with it, as use: {device: iPhone 15}",
    )


async def test_press_without_a_target_goes_to_the_focus(visit: Opener) -> None:
    """A key without a target reaches the element that has the focus."""
    page = await visit("<input id=x onkeydown='this.n=event.key'>")
    await page.passes(on("click", "#x"), step("press", args={"key": "Escape"}))
    assert await page.js("x.n") == "Escape"


async def test_reload_loads_the_page_again(visit: Opener) -> None:
    """The changes of a script are gone, and the page has loaded."""
    page = await visit("<b id=x>1</b>")
    await page.js("x.textContent = '2'")
    await page.passes(step("reload"), expect("#x", text="1"))


async def test_upload_gives_files(visit: Opener, tmp_path: Path) -> None:
    """A file input holds the files that were given."""
    (tmp_path / "cv.txt").write_text("hello")
    page = await visit("<input id=x type=file>", upload_root=tmp_path)
    await page.passes(on("upload", "#x", files=["cv.txt"]))
    assert await page.js("x.files[0].name") == "cv.txt"


async def test_upload_of_a_missing_file_is_the_cases_fault(visit: Opener, tmp_path: Path) -> None:
    """The message names the file, and the kind is input."""
    page = await visit("<input id=x type=file>", upload_root=tmp_path)
    outcome = await page.do(on("upload", "#x", files=["gone/cv.txt"]))
    assert outcome.kind is ErrorKind.INPUT
    assert "gone/cv.txt" in (outcome.error or "")


async def test_set_viewport(visit: Opener) -> None:
    """The page has the size that was asked for."""
    page = await visit("<p>x")
    await page.passes(step("set_viewport", args={"width": 640, "height": 480}))
    assert await page.js("[innerWidth, innerHeight]") == [640, 480]


async def test_screenshot_is_a_png(visit: Opener) -> None:
    """A picture of the page and one of an element come back as PNG."""
    page = await visit("<p id=x>x")
    whole = await page.do(step("screenshot", args={"full_page": True}))
    part = await page.do(step("screenshot", args={"target": {"css": "#x"}}))
    assert (whole.picture or b"")[:4] == (part.picture or b"")[:4] == b"\x89PNG"
    assert whole.picture != part.picture


@pytest.mark.parametrize(
    "args",
    [
        {"target": {"css": "#late"}},
        {"target": {"css": "#early"}, "state": "hidden"},
        {"target": {"css": "#early"}, "state": "detached"},
        {"target": {"css": "#late"}, "state": "attached"},
        {"target": {"css": "p"}, "count": 2},
        {"url": "**#there"},
        {"load_state": "domcontentloaded"},
    ],
)
async def test_wait_for_waits(visit: Opener, args: dict[str, object]) -> None:
    """Every kind of waiting ends when what it waits for comes."""
    page = await visit(
        "<p id=early>a<script>setTimeout(() => {"
        "early.outerHTML = '<p id=late>b<p>c'; location.hash = 'there' }, 80)</script>"
    )
    await page.passes(step("wait_for", args=args))


@pytest.mark.parametrize(
    ("args", "kind", "words"),
    [
        ({"target": {"css": "#no"}}, ErrorKind.NOT_FOUND, "`#no` was not found in 300 ms"),
        (
            {"target": {"css": "#x"}, "state": "hidden"},
            ErrorKind.TIMEOUT,
            "for `#x` to be hidden, it is still visible",
        ),
        ({"target": {"css": "p"}, "count": 2}, ErrorKind.TIMEOUT, "waited for count 2, found '1' in 300 ms"),
        ({"url": "/other"}, ErrorKind.TIMEOUT, "waited for URL '/other', found 'http"),
    ],
)
async def test_wait_for_says_what_did_not_come(
    visit: Opener, args: dict[str, object], kind: ErrorKind, words: str
) -> None:
    """A wait in vain names what it waited for and what there is."""
    page = await visit("<p id=x>a")
    outcome = await page.do(step("wait_for", args=args), timeout_ms=300)
    assert (outcome.kind, words in (outcome.error or "")) == (kind, True), outcome.error


async def test_a_secret_is_shown_as_dots(visit: Opener) -> None:
    """A field is masked before a secret goes in, whatever its type."""
    page = await visit("<input id=x><input id=y>", secrets=("hunter2",))
    await page.passes(on("fill", "#x", value="my hunter2!"), on("fill", "#y", value="open"))
    style = "getComputedStyle(%s).webkitTextSecurity"
    assert [await page.js(style % name) for name in ("x", "y")] == ["disc", "none"]


async def test_goto_needs_a_whole_url_or_a_base_url(visit: Opener) -> None:
    """A path without a base URL is refused before the browser is asked."""
    page = await visit(None, base_url=None)
    outcome = await page.do(goto("/login"))
    assert outcome.kind is ErrorKind.INPUT
    assert "'/login' is not a whole URL" in (outcome.error or "")


async def test_goto_is_joined_to_the_base_url(visit: Opener, site: Site) -> None:
    """A path is opened on the base URL's host."""
    page = await visit(None)
    site.page("/joined", "<title>Here</title>")
    await page.passes(goto("/joined"), expect(title="Here"), expect(url="/joined"))
