"""The same elements in other places: moved, wrapped, in another order."""

from __future__ import annotations

from bs4 import BeautifulSoup, Tag

from benchmarks.shop_versions.mutation import Mutation
from benchmarks.shop_versions.truth import TRUTH

CONTROLS = "a, button, input:not([type=hidden]), select, textarea, [role=button]"
# The script goes from these to the element beside or around them.
_STAYS_BARE = "[data-menu], [data-note], [data-note] + input, dialog *"
_PHRASING = ("p", "label", "span", "b", "h1", "h2", "a", "button", "dd", "dt")
_LISTS = "ul, nav.chips, select, dl, .main-nav"


def moved() -> Mutation:
    """The header is below the content, the search in the footer, summaries and buttons come first."""

    def page(soup: BeautifulSoup, _path: str) -> None:
        _move_frame(soup)
        for aside in soup.select("aside.summary"):
            _to_front(aside, aside.parent)
        for fieldset in soup.select("form.columns fieldset:last-of-type"):
            _to_front(fieldset, fieldset.parent)
        for form in soup.select("main form, body.embedded form"):
            buttons = form.find_all("button")
            if buttons:
                _to_front(buttons[-1], form)

    return Mutation(page=page)


def wrapped() -> Mutation:
    """Every control is in two more elements, the page's content in three."""

    def page(soup: BeautifulSoup, _path: str) -> None:
        bare = {id(element) for element in soup.select(_STAYS_BARE)}
        for control in soup.select(CONTROLS):
            if id(control) not in bare:
                wrap_tightly(soup, control, "control", "control-inner")
        for block in soup.select("main, .embedded > .split"):
            for name in ("layout-content", "layout-column", "layout"):
                _wrap_content(soup, block, name)

    return Mutation(page=page)


def wrap_tightly(soup: BeautifulSoup, element: Tag, *classes: str) -> None:
    """Put wrappers around an element; they hold nothing else, so they carry its key."""
    inside_text = element.find_parent(_PHRASING) is not None
    for name in reversed(classes):
        wrapper = soup.new_tag("span" if inside_text else "div", attrs={"class": name})
        if TRUTH in element.attrs:
            wrapper[TRUTH] = element[TRUTH]
        element = element.wrap(wrapper)


def reordered() -> Mutation:
    """Lists, menus, options, summaries, choices and fields stand in the opposite order."""

    def page(soup: BeautifulSoup, _path: str) -> None:
        for parent in soup.select(_LISTS):
            _reverse([child for child in parent.find_all(True, recursive=False) if child.get("value") != ""])
        for parent in soup.select("fieldset, form"):
            _reverse(parent.select(":scope > .choice:has([type=radio])"))
            _reverse(parent.select(":scope > .field"))

    return Mutation(page=page)


def _move_frame(soup: BeautifulSoup) -> None:
    header, main, footer = soup.select_one("header.site"), soup.select_one("main"), soup.select_one("footer.site")
    tools, search = soup.select_one(".tools"), soup.select_one("form.search")
    if header and main and footer and tools and search:
        main.insert_after(header.extract())
        footer.append(search.extract())
        _to_front(tools, tools.parent)


def _to_front(element: Tag, parent: Tag | None) -> None:
    if parent is not None:
        parent.insert(0, element.extract())


def _wrap_content(soup: BeautifulSoup, block: Tag, name: str) -> None:
    wrapper = soup.new_tag("div", attrs={"class": name})
    for child in list(block.children):
        wrapper.append(child.extract())
    block.append(wrapper)


def _reverse(elements: list[Tag]) -> None:
    """Let these siblings change places; what stands between them stays."""
    parent = elements[0].parent if elements else None
    if parent is None:
        return
    turning, turned = {id(element) for element in elements}, iter(reversed(elements))
    children = [next(turned) if id(child) in turning else child for child in parent.contents]
    parent.clear()
    parent.extend(children)
