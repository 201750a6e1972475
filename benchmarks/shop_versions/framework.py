"""The shop built anew with a component library: no `<button>`, generated classes and ids, wrapped fields."""

from __future__ import annotations

import re
from pathlib import Path

from bs4 import BeautifulSoup, Tag

from benchmarks.shop_versions.mutation import Mutation, replaced, short_hash, together
from benchmarks.shop_versions.names import renamed_classes, renamed_ids
from benchmarks.shop_versions.structure import wrap_tightly

_SCRIPT = (Path(__file__).parent / "framework.js").read_text(encoding="utf-8")
_FIELDS = "main .field > :is(input, textarea, select), body.embedded .field > :is(input, textarea, select)"
_BUTTON_SELECTOR = re.compile(r"(?<![\w.:-])button(?![\w-])(?=[^{}]*\{)")


def framework_markup() -> Mutation:
    """Buttons are `div role=button`, fields sit in two wrappers, classes and ids are generated."""
    return together(
        Mutation(page=_page, script=_script, style=lambda text: _BUTTON_SELECTOR.sub("[role=button]", text)),
        renamed_ids(lambda name: f":r{short_hash(name)[:3]}:"),
        renamed_classes(lambda name: f"css-{short_hash('framework ' + name)}"),
    )


def _page(soup: BeautifulSoup, _path: str) -> None:
    for button in soup.find_all("button"):
        _as_component(soup, button)
    for field in soup.select(_FIELDS):
        wrap_tightly(soup, field, "input-root", "input-box")


def _as_component(soup: BeautifulSoup, button: Tag) -> None:
    submits = button.get("type") != "button"
    button.name = "div"
    del button["type"]
    button["role"], button["tabindex"] = "button", "0"
    if submits:
        button["data-submits"] = ""
    if button.has_attr("disabled"):
        del button["disabled"]
        button["aria-disabled"] = "true"
    label = soup.new_tag("span", attrs={"class": "button-label"})
    for child in list(button.children):
        label.append(child.extract())
    button.append(label)


def _script(text: str) -> str:
    text = replaced(text, 'all("button", form)', 'all("[role=button]", form)')
    return _SCRIPT + replaced(text, 'all("button.primary", form)', 'all("[role=button].primary", form)')
