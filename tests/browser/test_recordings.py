"""Imported recordings on real pages: each does what the recorder's own replay would do."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from qa_queue.cases.document_path import DocumentPath, ProblemReport
from qa_queue.cases.importers.recorder import convert_recording
from qa_queue.cases.values import escaped
from qa_queue.models import TestJobResult
from tests.browser.conftest import Opener
from tests.support.running import NO_EVIDENCE, ExecutionHarness
from tests.support.site import Site
from tests.support.steps import case, expect, goto, on, step

LOG = "<output id=log></output><script>function say(what) { log.textContent += what + ' ' }</script>"
SHORT = {"timeout": 1_000}


class Replay:
    """Runs recordings of a page, and then compares what the page says in its log."""

    def __init__(self, harness: ExecutionHarness, site: Site) -> None:
        self.harness = harness
        self.site = site

    async def run(self, html: str, *steps: dict[str, Any], seen: str) -> TestJobResult:
        """Run a recording of these steps; its last step expects the page's log."""
        self.site.page("/recorded", html + LOG)
        opening = {"type": "navigate", "url": f"{self.site.url}/recorded"}
        document = {"title": "Recorded", "steps": [opening, *steps]}
        made = convert_recording(DocumentPath(ProblemReport("recording.json")), document).case
        checked = made.model_copy(update={"steps": (*made.steps, expect("#log", text=escaped(seen)))})
        return await self.harness.run(self.harness.submit(checked, config=NO_EVIDENCE))

    async def passes(self, html: str, *steps: dict[str, Any], seen: str) -> None:
        """Run a recording that has to pass."""
        result = await self.run(html, *steps, seen=seen)
        assert (result.status, result.error) == ("completed", None)


@pytest.fixture
def replay(harness: ExecutionHarness, site: Site) -> Replay:
    """Recordings of this test's own pages."""
    return Replay(harness, site)


def click(*selectors: str, at: tuple[float, float] = (5, 5), **fields: Any) -> dict[str, Any]:
    """A recorded click on a point of an element."""
    return {"type": "click", "selectors": list(selectors), "offsetX": at[0], "offsetY": at[1], **fields}


def change(selector: str, value: str) -> dict[str, Any]:
    """A recorded change."""
    return {"type": "change", "selectors": [selector], "value": value}


BACKDROP = """<style>body { margin: 0; height: 700px }
#middle { position: absolute; left: 25%; top: 25%; width: 50%; height: 50% }</style>
<button id=middle onclick="event.stopPropagation(); say('deleted')">Delete everything</button>
<script>document.body.onclick = event => say(`closed ${event.clientX},${event.clientY}`)</script>"""
PLACE = "onclick=\"say(event.offsetX + ',' + event.offsetY)\""


@pytest.mark.parametrize(
    ("html", "clicked", "seen"),
    [
        (BACKDROP, click("body", at=(1200, 40)), "closed 1200,40"),
        (BACKDROP, click("body"), "closed 5,5"),
        (
            "<p>Short</p><script>document.documentElement.onclick = event => say(event.clientY)</script>",
            click("html", at=(900, 600)),
            "600",
        ),
        (f"<div id=map style='width:300px;height:200px' {PLACE}></div>", click("#map", at=(280, 9)), "280,9"),
        (
            f"<canvas id=map width=300 height=200 style='border:4px solid' {PLACE}></canvas>",
            click("#map", at=(290, 12)),
            "286,8",
        ),
        (
            "<input id=volume type=range min=0 max=100 style='width:200px;margin:0' onchange='say(value > 80)'>",
            click("#volume", at=(190, 8)),
            "true",
        ),
        (
            "<span id=stars style='display:inline-block;width:100px;height:20px' "
            "onclick='say(Math.ceil(event.offsetX / 20))'></span>",
            click("#stars", at=(90, 10)),
            "5",
        ),
        (
            "<button id=go style='width:90px;height:40px;border-radius:20px' onclick=\"say('go')\">Go</button>",
            click("#go", at=(1, 1)),
            "go",
        ),
        ("<button id=go onclick=\"say('go')\">Go</button>", click("#go", at=(400, 90)), "go"),
        (
            f"<div id=map style='width:300px;height:200px' ondbl{PLACE[2:]}></div>",
            click("#map", at=(7, 190)) | {"type": "doubleClick"},
            "7,190",
        ),
        (
            "<div id=map style='width:300px;height:200px' onmousemove=\"say(event.offsetX)\"></div>",
            click("#map", at=(7, 190)) | {"type": "hover"},
            "7",
        ),
    ],
)
async def test_the_recorded_point_is_clicked(replay: Replay, html: str, clicked: dict[str, Any], seen: str) -> None:
    """On containers, maps, sliders and stars; a control that no longer has the point is hit in its middle."""
    await replay.passes(html, clicked, seen=seen)


async def test_a_container_without_the_recorded_point_is_not_clicked(replay: Replay) -> None:
    """Its middle is another element, and what is clicked there is not what was recorded."""
    result = await replay.run(BACKDROP, click("body", at=(1500, 40)), seen="")
    assert result.status == "failed"
    assert "step 2: `body` is 1280 x 700 px now and no longer has the recorded point 1500, 40" in str(result.error)


async def test_a_healed_element_is_clicked_at_the_same_share(harness: ExecutionHarness, site: Site) -> None:
    """A map that is twice as large is clicked twice as far from its corner."""
    shown = (
        "<h1>Shop</h1><div id=%s class=map role=img aria-label='Map of shops' style='width:%dpx;height:%dpx' "
        + PLACE
        + "></div>"
        + LOG
    )
    clicked = step("click", args={"target": {"css": "#map"}, "recorded_at": (150, 20)}, timeout_ms=2_000)

    async def run(html: str, seen: str) -> TestJobResult:
        site.page("/healed", html)
        steps = (goto("/healed"), clicked, expect("#log", text=seen))
        return await harness.test(case(*steps, base_url=site.url, heal="auto", name="Map"))

    assert (await run(shown % ("map", 200, 100), "150,20")).error is None
    healed = await run(shown % ("chart", 400, 200), "300,40")
    assert (healed.status, healed.error) == ("adapted", None)


BOX = '<label for=box>Offers</label><input type=checkbox id=box value={value} {state} onchange="say(this.checked)">'


@pytest.mark.parametrize("value", ["on", "1", "0", "accepted", "false"])
@pytest.mark.parametrize(("state", "seen"), [("", "true"), ("checked", "false")])
async def test_a_recorded_change_keeps_the_state_of_a_box(
    replay: Replay, value: str, state: str, seen: str
) -> None:
    """The click before has changed it, to whatever state."""
    html = BOX.format(value=value, state=state)
    await replay.passes(html, click("#box"), change("#box", value), seen=seen)


@pytest.mark.parametrize(
    "steps",
    [
        (click("label"), change("#box", "1")),
        (click("label", at=(8, 5)), click("#box", at=(-30, 4)), change("#box", "1")),
        (click("label", at=(8, 5)), click("aria/Offers", "#box", at=(-30, 4)), change("#box", "1")),
        (
            change("#other", "a"),
            {"type": "keyDown", "key": "Tab"},
            {"type": "keyUp", "key": "Tab"},
            {"type": "keyDown", "key": " "},
            change("#box", "1"),
            {"type": "keyUp", "key": " "},
        ),
    ],
)
async def test_a_box_is_toggled_once_however_it_was(replay: Replay, steps: tuple[dict[str, Any], ...]) -> None:
    """By its label, by the click that its label passes on, or by Space."""
    html = "<input id=other>" + BOX.format(value="1", state="checked")
    await replay.passes(html, *steps, seen="false")


async def test_a_hidden_box_is_toggled_by_its_label(replay: Replay) -> None:
    """The change of a box that is not shown waits for nothing."""
    html = BOX.format(value="1", state="hidden")
    await replay.passes(html, click("label"), change("#box", "1") | SHORT, seen="true")


@pytest.mark.parametrize("label", ["label", "aria/Offers"])
async def test_a_box_that_is_not_displayed_is_toggled_once(replay: Replay, label: str) -> None:
    """The click that the browser passed on to it reaches its label too."""
    html = "<label><input type=checkbox id=box value=7 hidden onchange='say(this.checked)'>Offers</label>"
    steps = (click(label, at=(30, 9)), click("#box", at=(-30, -9)), change("#box", "7"))
    assert (await replay.run(html, *steps, seen="true")).error is None


async def test_a_radio_button_that_keys_choose_is_chosen_once(replay: Replay) -> None:
    """An arrow moves the choice, and the change of it is already made."""
    html = "".join(f"<input type=radio name=r id={i} value={i} onchange='say(value)'>" for i in "abc")
    arrow = {"key": "ArrowDown"}
    steps = (
        click("#a"),
        change("#a", "a"),
        arrow | {"type": "keyDown"},
        change("#b", "b"),
        arrow | {"type": "keyUp"},
    )
    await replay.passes(html, *steps, seen="a b")


async def test_a_recorded_radio_button_stays_as_it_was_clicked(replay: Replay) -> None:
    """The change has the value of the chosen one."""
    html = "".join(f"<input type=radio name=r id={i} value={i} onchange='say(value)'>" for i in "ab")
    await replay.passes(html, click("#b"), change("#b", "b"), change("#a", "a"), seen="b")


NAVIGATION = {"assertedEvents": [{"type": "navigation"}], **SHORT}


async def test_a_dead_button_fails_where_a_page_was_recorded(replay: Replay) -> None:
    """The step fails, not the next one, which would act on the old page."""
    result = await replay.run("<button>Order</button>", click("button", **NAVIGATION), seen="")
    assert result.status == "failed"
    assert result.error == (
        "step 2: no navigation began in 1000 ms, though the step should open a page; "
        f"the page is still {replay.site.url}/recorded"
    )


ENTER = {"type": "keyDown", "key": "Enter"}
RELEASED = {"type": "keyUp", "key": "Enter", **NAVIGATION}


@pytest.mark.parametrize(
    ("html", "steps"),
    [
        ("<form onsubmit='return false'><input></form>", (change("input", "x"), ENTER | NAVIGATION)),
        ("<form onsubmit='return false'><input></form>", (change("input", "x"), ENTER | SHORT, RELEASED)),
        ("<form action=/x><input required><button>Order</button></form>", (click("button", **NAVIGATION),)),
        ("<select><option>a<option>b</select>", (change("select", "b") | NAVIGATION,)),
        ("<p>Order</p>", (click("p", **NAVIGATION) | {"type": "doubleClick"},)),
    ],
)  # fmt: skip
async def test_every_step_that_opened_a_page_fails_where_none_comes(
    replay: Replay, html: str, steps: tuple[dict[str, Any], ...]
) -> None:
    """A key, a form that is not complete, a choice, a double click."""
    result = await replay.run(html, *steps, seen="")
    assert "no navigation began in 1000 ms" in str(result.error)


async def test_a_page_that_does_not_arrive_is_distinguished_from_a_dead_button(replay: Replay) -> None:
    """The browser asked for a page, and nothing came."""
    replay.site.page("/never", "late")
    replay.site.held["/never"] = threading.Event()
    html = "<button onclick=\"location.href = '/never'\">Order</button>"
    result = await replay.run(html, click("button", **NAVIGATION), seen="")
    replay.site.held["/never"].set()
    assert "step 2: the page that the step opens did not arrive in 1000 ms" in str(result.error)


@pytest.mark.parametrize(
    "opening",
    [
        "location.href = '/recorded-next'",
        "setTimeout(() => location.href = '/recorded-next', 200)",
        "history.pushState({}, '', '/recorded-next'); say('next')",
        "location.hash = 'next'; say('next')",
    ],
)
async def test_the_page_that_a_step_opens_is_awaited(replay: Replay, opening: str) -> None:
    """A document, one that a script opens later, or a change of the URL alone."""
    replay.site.page("/recorded-next", f"{LOG}<script>onload = () => setTimeout(say, 0, 'next')</script>")
    html = f'<button onclick="{opening}">Order</button>'
    await replay.passes(html, click("button", assertedEvents=[{"type": "navigation"}]), seen="next")


async def test_a_page_that_was_on_its_way_is_not_the_one_that_a_step_opens(visit: Opener, site: Site) -> None:
    """A slow page that was asked for before the click says nothing about the click."""
    site.page("/early", "<button id=dead>Order</button>")
    page = await visit("<button onclick=\"location.href = '/early'\">Go</button><button id=dead>Order</button>")
    release = site.held["/early"] = threading.Event()
    async with page.page.expect_request("**/early"):
        await page.page.evaluate("setTimeout(() => location.href = '/early', 0)")
    asyncio.get_running_loop().call_later(0.2, release.set)
    outcome = await page.do(on("click", "#dead").model_copy(update={"navigates": True}), timeout_ms=1_000)
    assert "no navigation began in 1000 ms" in (outcome.error or "")
    assert page.page.url.endswith("/early")


async def test_frames_count_in_the_order_of_their_attachment(replay: Replay) -> None:
    """The last one to be attached may stand first in the document."""
    replay.site.page("/frame", "<button onclick='parent.say(location.search)'>Go</button>")
    html = """<iframe src="/frame?a"></iframe><script>
    for (const name of ['b', 'c']) {
      const frame = document.createElement('iframe');
      frame.src = '/frame?' + name;
      document.querySelector('iframe').before(frame);
    }</script>"""
    clicks = [click("aria/Go", "button", frame=[index]) for index in range(3)]
    await replay.passes(html, *clicks, seen="?a ?b ?c")


async def test_a_frame_in_a_frame_is_found_when_it_is_attached_late(replay: Replay) -> None:
    """Each level counts for itself, and the step waits for it."""
    replay.site.page("/inner", "<button onclick='top.say(location.search)'>Go</button>")
    replay.site.page("/outer", "<iframe src='/inner?1'></iframe><iframe src='/inner?2'></iframe>")
    html = """<script>setTimeout(() => {
      const frame = document.createElement('iframe'); frame.src = '/outer'; document.body.append(frame) }, 200)
    </script>"""
    await replay.passes(html, click("button", frame=[0, 1]), seen="?2")


@pytest.mark.parametrize(
    ("html", "clicked", "seen"),
    [
        ("<iframe id=x src='/frame?x'></iframe>{}{}<script>x.remove()</script>", (0, 1), "?a ?b"),
        ("<iframe id=x src='/frame?x'></iframe>{}<script>x.parentNode.append(x)</script>", (0, 1), "?a ?x"),
        ("<div id=h></div><script>h.attachShadow({{mode: 'open'}}).innerHTML = `{}`</script>", (0,), "?a"),
    ],
)  # fmt: skip
async def test_frames_that_come_and_go_count_as_in_the_frame_tree(
    replay: Replay, html: str, clicked: tuple[int, ...], seen: str
) -> None:
    """One that is gone does not count, and one that returns is the last; one in a shadow tree is found."""
    replay.site.page("/frame", "<button onclick='top.say(location.search)'>Go</button>")
    frames = [f"<iframe src='/frame?{name}'></iframe>" for name in "ab"]
    body = f"<body id=body>{html.format(*frames)}"
    await replay.passes(body, *(click("button", frame=[index]) for index in clicked), seen=seen)


async def test_a_pop_up_is_followed_and_closed(replay: Replay) -> None:
    """Steps act on the page on which they were recorded."""
    url = f"{replay.site.url}/recorded-report"
    replay.site.page("/recorded-report", "<button onclick=\"opener.say('confirmed')\">Confirm</button>")
    html = (
        "<a href=/recorded-report target=_blank rel=opener>Report</a><button onclick=\"say('back')\">Back</button>"
    )
    steps = (click("a"), click("button", target=url), {"type": "close", "target": url}, click("button"))
    await replay.passes(html, *steps, seen="confirmed back")


async def test_a_dialog_is_dismissed_and_reported(replay: Replay) -> None:
    """A recording does not have the answer; the run says which dialog came, and how to answer otherwise."""
    html = "<button onclick=\"say(confirm('Delete?') ? 'deleted' : 'kept')\">Delete</button>"
    result = await replay.run(html, click("button"), seen="kept")
    (note,) = replay.harness.row(result.test_run_id).notes
    assert result.status == "completed"
    assert note.startswith("step 2: ")
    for words in ("Delete?", "dismissed", "dialog", "accept"):
        assert words in note


LAZY = """<style>li { height: 100px }</style><ul></ul><script>
const list = document.querySelector('ul');
const more = () => { for (let i = 0; i < 10; i++) {
  const number = list.children.length + 1;
  list.insertAdjacentHTML('beforeend', `<li><button onclick="say('liked ${number}')">Like ${number}</button></li>`);
} };
addEventListener('scroll', () => scrollY + innerHeight > document.body.scrollHeight - 100 && setTimeout(more, 150));
more();</script>"""


@pytest.mark.parametrize(("y", "number"), [(1500, 12), (2900, 33)])
async def test_a_lazy_list_is_scrolled_until_it_is_long_enough(replay: Replay, y: int, number: int) -> None:
    """Each scroll to its end loads more."""
    scrolled = {"type": "scroll", "x": 0, "y": y}
    await replay.passes(LAZY, scrolled, click(f"aria/Like {number}"), seen=f"liked {number}")


async def test_a_scroll_beyond_the_end_passes_and_is_reported(replay: Replay) -> None:
    """As in the recorder's own replay; the note tells why a later step may find nothing."""
    result = await replay.run("<div style='height:1000px'></div>", {"type": "scroll", "y": 9000}, seen="")
    (note,) = replay.harness.row(result.test_run_id).notes
    assert result.status == "completed"
    assert note.startswith("step 2: scrolled down to ")


PRODUCTS = "<button onclick=\"say('book')\">Book now</button><button onclick=\"say('cook')\">COOK NOW</button>"


@pytest.mark.parametrize(
    "selectors", [("aria/OK", "#ok", "text/OK"), ("text/OK", "#ok"), ("text/OK",), ("#ok", "text/book now")]
)
async def test_a_text_does_not_match_a_part_of_a_word_or_another_case(
    replay: Replay, selectors: tuple[str, ...]
) -> None:
    """The step fails rather than click another button."""
    result = await replay.run(PRODUCTS, click(*selectors, **SHORT), seen="")
    assert result.status == "failed"
    assert "was not found in 1000 ms" in str(result.error)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<button onclick=\"say('ok')\">Espresso\n   Macchiato, large</button>", "text/Espresso Macchiato"),
        ("<div onclick=\"say('ok')\"><b>Espresso</b> now</div>", "text/Espresso"),
        ("<p onclick=\"say('ok')\">Pay (now) $5.00?</p>", "text/(now) $5.00"),
    ],
)
async def test_a_text_matches_as_the_recorder_wrote_it(replay: Replay, html: str, text: str) -> None:
    """The first words of a long text, and a part between words where it stands alone."""
    await replay.passes(html, click(text), seen="ok")


async def test_text_that_looks_like_a_value_is_typed_as_it_is(replay: Replay) -> None:
    """A user may type what the case language would fill in."""
    await replay.passes(
        "<input id=a oninput='say(value)'>",
        change("#a", "{$from} ${to} ${env.HOME} $${x}"),
        seen="{$from} ${to} ${env.HOME} $${x}",
    )
