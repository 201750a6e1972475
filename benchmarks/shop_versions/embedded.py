"""The same content behind a boundary: in a frame, or in an open shadow root."""

from __future__ import annotations

from bs4 import BeautifulSoup, Tag

from benchmarks.shop_versions.mutation import Mutation

_HEAD = '<link rel="stylesheet" href="/static/shop.css">'
_FRAME = '<!doctype html><html lang="en"><head>{head}{script}</head><body class="embedded">{content}</body></html>'
_SCRIPT = '<script src="/static/shop.js" defer></script>'
# Looks for elements as `document` does, in the open shadow roots too.
_DEEP_DOCUMENT = """((real) => {
  const roots = () => [real, ...[...real.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean)];
  return {
    querySelectorAll: (selector) => roots().flatMap((root) => [...root.querySelectorAll(selector)]),
    querySelector: (selector) => roots().map((root) => root.querySelector(selector)).find(Boolean) ?? null,
    getElementById: (id) => roots().map((root) => root.getElementById(id)).find(Boolean) ?? null,
    createElement: (name) => real.createElement(name),
    addEventListener: (type, listener) => real.addEventListener(type, listener),
  };
})(document)"""


def framed() -> Mutation:
    """The content of every page is in an iframe; its links and forms change the whole page."""

    def page(soup: BeautifulSoup, _path: str) -> None:
        main = soup.select_one("main")
        if main is None:
            return
        for element in main.select('a[href]:not([href^="#"]), form[action]'):
            element["target"] = "_top"
        content = _taken_out(main)
        document = _FRAME.format(head=_HEAD, script=_SCRIPT, content=content)
        main.append(soup.new_tag("iframe", attrs={"class": "content", "srcdoc": document}))

    return Mutation(page=page)


def in_shadow_root() -> Mutation:
    """The content of every page is in the open shadow root of a component."""

    def page(soup: BeautifulSoup, _path: str) -> None:
        place = soup.select_one("main, body.embedded")
        if place is None:
            return
        template = soup.new_tag("template", attrs={"shadowrootmode": "open"})
        template.append(BeautifulSoup(_HEAD, "html.parser"))
        for child in list(place.children):
            template.append(child.extract())
        component = soup.new_tag("shop-page")
        component.append(template)
        place.append(component)

    def script(text: str) -> str:
        return f"((document) => {{\n{text}\n}})({_DEEP_DOCUMENT});\n"

    return Mutation(page=page, script=script)


def _taken_out(place: Tag) -> str:
    """The HTML of what was in the element."""
    content = place.decode_contents()
    place.clear()
    return content
