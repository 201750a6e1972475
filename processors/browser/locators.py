"""From a target of a case to a Playwright locator. Nothing here waits or asks the page."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, cast

from playwright.async_api import FrameLocator, Locator, Page

from qa_queue.cases.targets import Target

Root = Page | Locator | FrameLocator

# The frame tree of browsers, and so a recording, counts frames in the order of their attachment.
ATTACHED_FRAME_ENGINE = """({
  queryAll(root, index) {
    const wanted = (root.ownerDocument ?? root).defaultView[Number(index)];
    return [...root.querySelectorAll('iframe, frame, object, embed')]
      .filter(frame => wanted && frame.contentWindow === wanted);
  },
  query(root, index) { return this.queryAll(root, index)[0]; },
})"""

# Roles that people act on, for a target that gives only a name (WAI-ARIA 1.2, widget roles).
INTERACTIVE_ROLES = (
    "button",
    "link",
    "textbox",
    "searchbox",
    "checkbox",
    "radio",
    "combobox",
    "listbox",
    "option",
    "menuitem",
    "menuitemcheckbox",
    "menuitemradio",
    "tab",
    "switch",
    "slider",
    "spinbutton",
    "treeitem",
)

_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LABELABLE = (
    '*[self::input[not(@type = "hidden")] or self::select or self::textarea or self::button '
    "or self::meter or self::output or self::progress]"
)


def locator_for(page: Page, target: Target, test_id_attribute: str) -> Locator:
    """The locator that a target stands for; its fallbacks are not looked at.

    Where a target has several kinds of locator, an element has to match all of them.
    """
    return _locator(page, target, test_id_attribute)


def _locator(outer: Root, target: Target, test_id_attribute: str) -> Locator:
    root = outer
    if target.frame is not None:
        root = _locator(root, target.frame, test_id_attribute).content_frame
    if target.within is not None:
        root = _locator(root, target.within, test_id_attribute)
    found = [build(root, target) for kind, build in _KINDS.items() if getattr(target, kind) is not None]
    if target.name is not None and target.role is None:
        found.append(_named(root, target))
    if target.test_id is not None:
        found.append(root.locator(f"[{test_id_attribute}={_css_string(target.test_id)}]"))
    return _narrowed(reduce(lambda a, b: a.and_(b), found), target)


def _narrowed(locator: Locator, target: Target) -> Locator:
    if target.has_text is not None:
        locator = locator.filter(has_text=target.has_text)
    if target.visible is not None:
        locator = locator.filter(visible=target.visible)
    return locator if target.nth is None else locator.nth(target.nth)


def _role(root: Root, target: Target) -> Locator:
    return root.get_by_role(
        cast(Any, target.role),  # an unknown role matches nothing, which the step then says
        name=target.name,
        exact=target.exact,
        checked=target.checked,
        level=target.level,
    )


def _named(root: Root, target: Target) -> Locator:
    """Any element that people act on with this accessible name, or a plain one with this aria-label.

    As Chrome's `aria/` selectors the name is the whole name, unless `exact` is False.
    """
    name, exact = target.name or "", target.exact is not False
    roles = [root.get_by_role(cast(Any, role), name=name, exact=exact) for role in INTERACTIVE_ROLES]
    own_label = root.locator(f"xpath={_label_of_its_own(name, exact)}")
    return reduce(lambda a, b: a.or_(b), [*roles, own_label], _labelled(root, name, exact))


def _label_of_its_own(name: str, exact: bool) -> str:
    """XPath of each `<label aria-label=NAME>` that names no field so: it labels none, or one called otherwise.

    A label that does name its field is left out, as the field itself is meant then.
    """
    bears_name = _xpath_name_test(name, exact)
    named_by_it = f"{_LABELABLE}[not(@aria-label) or {bears_name}]"
    return f"//label[{bears_name}][not(@for = //{named_by_it}/@id)][@for or not(.//{named_by_it})]"


def _xpath_name_test(name: str, exact: bool) -> str:
    wanted = " ".join(name.split())
    if exact:
        return f"normalize-space(@aria-label) = {_xpath_string(wanted)}"
    lowered = (
        f"translate(normalize-space(@aria-label), {_xpath_string(_CAPITALS)}, {_xpath_string(_CAPITALS.lower())})"
    )
    return f"contains({lowered}, {_xpath_string(wanted.lower())})"


def _xpath_string(text: str) -> str:
    """A literal of XPath 1.0, which has no escapes: a text with both kinds of quotes is put together."""
    if '"' not in text:
        return f'"{text}"'
    return "concat(" + ", '\"', ".join(f'"{part}"' for part in text.split('"')) + ")"


def _labelled(root: Root, label: str, exact: bool | None) -> Locator:
    """Return what a label names, never the `<label>` itself.

    Playwright's own search also finds a `<label aria-label="Name">`, beside the field it belongs to, and so
    would call the field ambiguous.
    """
    return root.get_by_label(label, exact=exact).and_(root.locator(":not(label)"))


def _css_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\a ")
    return f'"{escaped}"'


_KINDS: dict[str, Callable[[Root, Target], Locator]] = {
    "role": _role,
    "label": lambda root, t: _labelled(root, t.label or "", t.exact),
    "text": lambda root, t: root.get_by_text(t.text or "", exact=t.exact),
    "placeholder": lambda root, t: root.get_by_placeholder(t.placeholder or "", exact=t.exact),
    "alt": lambda root, t: root.get_by_alt_text(t.alt or "", exact=t.exact),
    "title": lambda root, t: root.get_by_title(t.title or "", exact=t.exact),
    "css": lambda root, t: root.locator(f"css={t.css}"),
    "xpath": lambda root, t: root.locator(f"xpath={t.xpath}"),
    "selector": lambda root, t: root.locator(t.selector or ""),
}
