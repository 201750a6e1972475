"""What is collected of elements."""

from __future__ import annotations

from processors.browser.fingerprinting import PageView, candidates_of, fingerprint_of, pick
from processors.healing.fingerprint import Fingerprint
from tests.browser.conftest import Opener, Visit
from tests.support.site import Site

VIEW = PageView(test_id_attribute="data-testid", ignored=("data-truth",), need=("visible", "enabled", "hit"))
PAGE = """<style>*{font: 16px sans-serif}</style>
<main id=main><h1>Your order</h1>
<label for=mail>E-mail</label><input id=mail name=email type=email
placeholder="you@example.org" value="ann@example.org">
<button class="buy primary" data-testid=buy data-truth=secret-key title="Pay now" aria-describedby=hint
onclick="1">Buy <b>now</b></button>
<a href="/terms?token=1" aria-label="Terms of sale">§</a>
<textarea aria-label=Note>typed by somebody</textarea>
<x-card></x-card></main>
<script>customElements.define("x-card", class extends HTMLElement {
  connectedCallback() { this.attachShadow({mode: "open"})
  .innerHTML = "<p><button>Inside</button></p>" } })</script>"""


async def look(page: Visit, css: str) -> Fingerprint:
    return await fingerprint_of(page.page.locator(css), VIEW, in_frame=False, timeout_ms=3000)


async def test_every_property_of_a_button(visit: Opener) -> None:
    """What people see and what the markup says; attributes that are to be ignored are not there."""
    found = await look(await visit(PAGE), ".buy")
    assert (found.tag, found.role, found.accessible_name, found.text) == ("button", "button", "Buy now", "Buy now")
    assert (found.classes, found.test_ids, found.title) == (("buy", "primary"), ("buy",), "Pay now")
    assert found.attributes == (("aria-describedby", "hint"),)
    assert (found.xpath, found.id_xpath) == ("/html[1]/body[1]/main[1]/button[1]", "//*[@id='main']/button[1]")
    assert "Your order" in found.neighbours
    assert found.box is not None
    assert found.box.width > 20


async def test_what_was_typed_is_never_collected(visit: Opener) -> None:
    """Neither values of fields nor the text of editable elements, also not as a neighbour's words."""
    page = await visit(PAGE)
    found = await look(page, "#mail")
    assert (found.label, found.accessible_name, found.role) == ("E-mail", "E-mail", "textbox")
    everything = repr([c.fingerprint for c in await candidates_of(page.page.main_frame, VIEW)])
    assert "ann@example.org" not in everything
    assert "typed by somebody" not in everything


async def test_links_and_forms_lead_somewhere_within_the_site(visit: Opener, site: Site) -> None:
    """Another deployment of the same site has another host; a page elsewhere keeps its own."""
    site.page(
        "/forms",
        f"""<base href=/shop/><a id=near href={site.url}/terms>a</a><a id=far href=https://example.com/x>b</a>
<form action=pay><button id=pay>c</button><button id=other formaction=/wishes>d</button><button type=button id=no>e
</button><input name=action></form><button id=loose>f</button>""",
    )
    page = await visit(PAGE)
    await page.page.goto(site.url + "/forms")
    found = {one: await look(page, f"#{one}") for one in ("near", "far", "pay", "other", "no", "loose")}
    assert [found[one].href for one in ("near", "far", "pay")] == ["/terms", "https://example.com/x", ""]
    assert [found[one].action for one in ("pay", "other", "no", "loose")] == ["/shop/pay", "/wishes", "", ""]


async def test_shadow_roots_are_entered(visit: Opener) -> None:
    """The way to an element in an open shadow root names its host."""
    found = await look(await visit(PAGE), "x-card button")
    assert (found.xpath, found.shadow) == ("/p[1]/button[1]", ("/html[1]/body[1]/main[1]/x-card[1]",))


async def test_frames_are_named(visit: Opener) -> None:
    """Of a frame without a name its place counts."""
    page = await visit(
        "<iframe name=pay srcdoc='<button>Pay</button>'></iframe><iframe srcdoc='<i>x</i>'></iframe>"
    )
    inner = page.page.frame_locator("[name=pay]").locator("button")
    found = await fingerprint_of(inner, VIEW, in_frame=True, timeout_ms=3000)
    assert found.frames == ("pay",)
    other = await candidates_of(page.page.frames[2], VIEW)
    assert [c.fingerprint.frames for c in other] == [("#2",)]


async def test_one_element_is_the_same_alone_and_among_all(visit: Opener) -> None:
    """The stored fingerprint and the candidate of an unchanged page are equal."""
    page = await visit(PAGE)
    candidates = [c.fingerprint for c in await candidates_of(page.page.main_frame, VIEW)]
    assert await look(page, ".buy") in candidates
    assert await look(page, "a") in candidates


async def test_what_cannot_be_used_says_so(visit: Opener) -> None:
    """Hidden, disabled and covered elements are candidates that cannot be taken."""
    page = await visit(
        "<button id=ok>a</button><button hidden id=hidden>b</button><button disabled id=disabled>c</button>"
        "<div style='position:relative'><button id=covered>d</button>"
        "<p style='position:absolute;inset:0;margin:0'>e</div>"
    )
    found = {c.fingerprint.id: c.fingerprint.usable for c in await candidates_of(page.page.main_frame, VIEW)}
    assert {key: found[key] for key in ("ok", "hidden", "disabled", "covered")} == {
        "ok": True,
        "hidden": False,
        "disabled": False,
        "covered": False,
    }


async def test_a_candidate_can_be_had_again(visit: Opener) -> None:
    """With locators that may find it, until the page takes it away."""
    page = await visit(PAGE)
    mail = next(c for c in await candidates_of(page.page.main_frame, VIEW) if c.fingerprint.id == "mail")
    picked = await pick(mail, VIEW)
    assert picked is not None
    assert picked.css[:2] == ("#mail", 'input[name="email"]')
    await page.js("document.querySelector('#mail').remove()")
    assert await pick(mail, VIEW) is None


async def test_a_page_of_1500_elements_is_read_whole(visit: Opener) -> None:
    """The figures stand in docs/healing.md; here only that every element is read."""
    rows = "".join(
        f"<li class=row><a href='/item/{n}'>Item {n}</a> <button>Buy {n}</button></li>" for n in range(500)
    )
    page = await visit(f"<ul>{rows}</ul>")
    found = await candidates_of(page.page.main_frame, VIEW)
    assert len(found) == 1000
