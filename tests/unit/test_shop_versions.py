"""The versions of the shop: every element keeps its key, and every page still works."""

from __future__ import annotations

import re
from copy import copy
from functools import cache

import pytest
from bs4 import BeautifulSoup, Tag

from benchmarks.shop_versions import ORIGINAL, TRUTH, VERSIONS, Version, mutated_page
from benchmarks.shop_versions.gone import CONTROLS, FIELDS, Doomed
from benchmarks.shop_versions.mutation import replaced
from benchmarks.shop_versions.truth import LOOK_ALIKE, annotate, css_path
from benchmarks.shop_versions.words import in_other_words
from examples.shop.routes import answer
from examples.shop.session import Session
from examples.shop.web import Request, parse_query

PAGES = (
    "/",
    "/catalogue",
    "/search?q=green+tea",
    "/search?q=espresso",
    "/search?q=expresso",
    "/product/sencha",
    "/product/stoneware-mug",
    "/product/oat-cookies",
    "/product/almond-cantuccini",
    "/reviews/sencha",
    "/cart",
    "/checkout",
    "/login",
    "/account",
    "/receipts",
    "/roasts",
)
KEEPING = [version for version in VERSIONS if not version.gone]
LOSING = [version for version in VERSIONS if version.gone]
REFERENCES = ("for", "aria-labelledby", "aria-describedby", "aria-controls", "data-open")


@cache
def original(page: str) -> str:
    """The page as the shop gives it to Ann, who has two things in her cart."""
    session = Session(user=None if page == "/login" else "Ann")
    session.cart.add("sencha", 1)
    session.cart.add("stoneware-mug", 2)
    path, _, query = page.partition("?")
    response = answer("GET", path, Request(session=session, password="x", query=parse_query(query)))
    assert response.status == 200
    return response.body.decode()


@cache
def documents(version: Version, page: str) -> list[BeautifulSoup]:
    """The page in this version, and what is in its frames and shadow roots; to be looked at only."""
    soup = BeautifulSoup(mutated_page(version.mutate, page.partition("?")[0], original(page)), "html.parser")
    inside = [str(frame["srcdoc"]) for frame in soup.select("iframe[srcdoc]")]
    inside += [template.decode_contents() for template in soup.find_all("template")]
    return [soup, *(BeautifulSoup(html, "html.parser") for html in inside)]


@cache
def elements(version: Version, page: str) -> tuple[Tag, ...]:
    return tuple(element for _, element in placed_elements(version, page))


@cache
def placed_elements(version: Version, page: str) -> tuple[tuple[BeautifulSoup, Tag], ...]:
    """The elements with a key, and the documents that they are in."""
    return tuple(
        (document, element)
        for document in documents(version, page)
        for element in document.select(f"[{TRUTH}]")  # stops at a template, whose content is a document here
    )


def keys(version: Version, page: str) -> set[str]:
    return {str(element[TRUTH]) for element in elements(version, page)}


def inmost(version: Version, page: str) -> dict[str, Tag]:
    """The elements by key; a wrapper comes before what it wraps."""
    return {str(element[TRUTH]): element for element in elements(version, page)}


def doomed_on(page: str, doomed: tuple[Doomed, ...]) -> list[tuple[Tag, Doomed]]:
    """The elements of the original page that are to go."""
    path = page.partition("?")[0]
    soup = documents(ORIGINAL, page)[0]
    return [(one, doom) for doom in doomed if path.startswith(doom.path) for one in soup.select(doom.selector)]


def version(name: str) -> Version:
    return next(version for version in VERSIONS if version.name == name)


def script_of(version: Version) -> str:
    request = Request(session=Session(), password="x")
    return version.mutate.script(answer("GET", "/static/shop.js", request).body.decode())


def named(versions: list[Version] | tuple[Version, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("version", versions, ids=lambda version: version.name)


def test_there_are_many_versions_each_with_a_name() -> None:
    assert len(VERSIONS) >= 14
    assert len({version.name for version in VERSIONS}) == len(VERSIONS)
    assert len(LOSING) >= 4
    assert all(version.description for version in VERSIONS)


@pytest.mark.parametrize("page", PAGES)
def test_the_original_gains_keys_and_nothing_else(page: str) -> None:
    soup = copy(documents(ORIGINAL, page)[0])
    tracked = soup.body.find_all(True)
    assert len({element[TRUTH] for element in tracked}) == len(tracked) > 15
    for element in tracked:
        del element[TRUTH]
    assert soup == BeautifulSoup(original(page), "html.parser")


@named(VERSIONS)
def test_a_version_differs_from_the_original(version: Version) -> None:
    assert any(
        str(documents(version, page)[0]) != str(documents(ORIGINAL, page)[0])
        for page in ("/login", "/cart", "/catalogue")
    )


@named(KEEPING)
def test_every_element_keeps_its_key(version: Version) -> None:
    """And has it on one element alone, or on wrappers that hold nothing but that element."""
    for page in PAGES:
        now = {key for key in keys(version, page) if not key.startswith(LOOK_ALIKE)}
        assert now == keys(ORIGINAL, page)
        inner = inmost(version, page)
        for element in elements(version, page):
            wrapped = inner[str(element[TRUTH])]
            assert element is wrapped or element.get_text(strip=True) == wrapped.get_text(strip=True)


@named(KEEPING)
def test_forms_send_the_same_fields_to_the_same_place(version: Version) -> None:
    for page in PAGES:
        assert forms(version, page) == forms(ORIGINAL, page)


@cache
def forms(version: Version, page: str) -> dict[str, tuple[object, ...]]:
    """The fields and the target of each form, by its key."""
    return {
        key: (
            form.get("action"),
            form.get("method"),
            form.get("enctype"),
            sorted((str(field["name"]), field.get("type"), field.get("value")) for field in form.select("[name]")),
        )
        for key, form in inmost(version, page).items()
        if form.name == "form"
    }


@named(VERSIONS)
def test_pages_load_the_script_and_have_each_id_once(version: Version) -> None:
    for document in (document for page in PAGES for document in documents(version, page)):
        ids = [str(element["id"]) for element in document.select("[id]")]
        assert document.html is None or document.select_one('script[src="/static/shop.js"]')
        assert len(ids) == len(set(ids))


@named([version for version in KEEPING if version.name != "stripped"])
def test_references_lead_to_the_same_elements(version: Version) -> None:
    """A label, a description or an opener names the element that it named in the original."""
    for page in PAGES:
        before = references(ORIGINAL, page)
        assert before
        assert {key: name for key, name in references(version, page).items() if key in before} == before


@cache
def references(version: Version, page: str) -> dict[tuple[str, str], object]:
    """The key of what each element names by an attribute."""
    return {
        (str(element[TRUTH]), name): named_by(element, name, document)
        for document, element in placed_elements(version, page)
        for name in REFERENCES
        if element.has_attr(name)
    }


def named_by(element: Tag, reference: str, document: BeautifulSoup) -> object:
    target = document.find(id=str(element[reference]))
    return target and target[TRUTH]


@pytest.mark.parametrize("page", PAGES)
def test_without_ids_a_label_has_its_control_inside(page: str) -> None:
    before, soup = documents(ORIGINAL, page)[0], documents(version("stripped"), page)[0]
    for label in before.select("label[for]"):
        now = soup.select_one(f'[{TRUTH}="{label[TRUTH]}"]')
        control = before.find(id=str(label["for"]))
        assert now is not None
        assert [one[TRUTH] for one in now.select("input, select, textarea")] == [control and control[TRUTH]]


@named(VERSIONS)
def test_the_script_looks_for_ids_and_classes_that_pages_have(version: Version) -> None:
    script = script_of(version)
    soups = [document for page in PAGES for document in documents(version, page)]
    wanted = [f"#{name}" for name in re.findall(r'getElementById\("([^"]+)"\)', script)]
    wanted += re.findall(r'all\("([^"]+)", form\)', script)
    selectors = [re.sub(r"#(:[^ ]+)", r'[id="\1"]', selector) for selector in wanted]
    gone = {"#receipt"} if version.gone else set()
    assert len(selectors) >= 8
    assert [s for s in selectors if s not in gone and not any(soup.select(s) for soup in soups)] == []


@named(VERSIONS)
def test_the_script_has_as_many_braces_as_it_closes(version: Version) -> None:
    script = script_of(version)
    assert [script.count(one) - script.count(other) for one, other in ("{}", "()", "[]")] == [0, 0, 0]


def test_classes_of_the_style_sheet_follow_the_pages() -> None:
    request = Request(session=Session(), password="x")
    style = answer("GET", "/static/shop.css", request).body.decode()
    renamed = version("classes").mutate.style(style)
    used = {
        name for element in documents(version("classes"), "/cart")[0].select("[class]") for name in element["class"]
    }
    assert ".summary" not in renamed
    assert renamed.count("{") == style.count("{")
    assert sum(f".{name}" in renamed for name in used) > 8


@pytest.mark.parametrize(("name", "doomed"), [("no-controls", CONTROLS), ("no-fields", FIELDS)])
def test_removed_elements_are_gone(name: str, doomed: tuple[Doomed, ...]) -> None:
    for page in PAGES:
        now = keys(version(name), page)
        assert not any(key.startswith(LOOK_ALIKE) for key in now)
        assert not now & {element[TRUTH] for element, _ in doomed_on(page, doomed)}


@pytest.mark.parametrize(("name", "doomed"), [("other-controls", CONTROLS), ("other-fields", FIELDS)])
def test_a_look_alike_is_another_element_of_the_same_kind(name: str, doomed: tuple[Doomed, ...]) -> None:
    """It has a key of its own, the same tag, type and classes, and says something else."""
    for page in PAGES:
        now = inmost(version(name), page)
        for element, doom in doomed_on(page, doomed):
            alike = now[LOOK_ALIKE + str(element[TRUTH])]
            assert element[TRUTH] not in now
            assert kind_of(alike) == kind_of(element)
            assert doom.instead in str(alike.find_parent(class_="field") or alike.parent)
            assert element.get_text(strip=True) == "" or alike.get_text() != element.get_text()


def kind_of(element: Tag) -> list[object]:
    return [element.name, element.get("type"), element.get("class")]


@pytest.mark.parametrize("doom", [*CONTROLS, *FIELDS], ids=lambda doom: f"{doom.path} {doom.selector}")
def test_each_doomed_element_is_on_some_page(doom: Doomed) -> None:
    assert any(doomed_on(page, (doom,)) for page in PAGES)


def test_twins_have_the_button_s_name_and_lead_elsewhere() -> None:
    now = inmost(version("twins"), "/login")
    (key,) = [key for key in now if key.startswith(LOOK_ALIKE)]
    twin, button = now[key], now[key.removeprefix(LOOK_ALIKE)]
    assert twin.get_text() == button.get_text() == "Sign in"
    assert "id" not in twin.attrs
    assert twin.find_parent("form")["action"] == "/catalogue"


@named([version("translated"), version("reworded")])
def test_other_words_are_on_the_same_markup(version: Version) -> None:
    for page in ("/login", "/cart", "/checkout"):
        before, now = documents(ORIGINAL, page)[0], documents(version, page)[0]
        assert [one.name for one in before.find_all(True)] == [one.name for one in now.find_all(True)]
        assert [one.get("id") for one in before.find_all(True)] == [one.get("id") for one in now.find_all(True)]
        assert before.get_text() != now.get_text()
    assert "Sign in" not in documents(version, "/login")[0].main.get_text()


def test_the_content_is_in_a_frame_or_a_shadow_root() -> None:
    page, inside = documents(version("frame"), "/login")
    outside, shadow = documents(version("shadow"), "/login")
    assert page.select("main form") == outside.select("main form") == []
    assert [form["target"] for form in inside.select("form")] == ["_top"]
    assert outside.select_one("main > shop-page > template[shadowrootmode=open]")
    assert shadow.select_one("#sign-in")


def test_lists_are_turned_round_but_an_empty_choice_stays_first() -> None:
    before, now = documents(ORIGINAL, "/checkout")[0], documents(version("reordered"), "/checkout")[0]
    values = [option["value"] for option in before.select("#payment option")]
    assert [option["value"] for option in now.select("#payment option")] == ["", *reversed(values[1:])]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Add Earl Grey to cart", "Earl Grey in den Warenkorb legen"),
        ("Remove item?", "Artikel entfernen?"),
        ("Earl Grey", "Earl Grey"),
    ],
)
def test_phrases_take_over_what_stands_for_their_braces(text: str, other: str) -> None:
    assert in_other_words(text, "german.json") == other


def test_a_key_does_not_depend_on_the_number_of_an_order() -> None:
    def key(path: str) -> object:
        soup = BeautifulSoup("<body><p>1</p><p>2</p></body>", "html.parser")
        annotate(soup, path)
        return soup.find_all("p")[1][TRUTH]

    assert key("/order/MB-1") == key("/order/MB-2") == "/order/* p:nth-of-type(2)"


def test_a_css_path_starts_at_the_nearest_id() -> None:
    soup = BeautifulSoup('<body><div id="a"><p></p><p><b></b></p></div></body>', "html.parser")
    assert css_path(soup.b) == "#a > p:nth-of-type(2) > b:nth-of-type(1)"
    assert css_path(soup.div) == "#a"


def test_a_script_that_has_changed_is_not_mutated_in_silence() -> None:
    with pytest.raises(ValueError, match="bring benchmarks/shop_versions up to date"):
        replaced("let a;", "const a", "const b")
