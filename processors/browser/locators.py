"""From a target of a case to a Playwright locator. Nothing here waits or asks the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, cast

from playwright.async_api import FrameLocator, Locator, Page

from qa_queue.cases.patterns import Regex, playwright_text
from qa_queue.cases.targets import Target

Root = Page | Locator | FrameLocator

# The frame tree of browsers, and so a recording, counts frames in the order of their attachment. A script does not
# learn the order of those in shadow trees: they count after the others here.
ATTACHED_FRAME_ENGINE = """({
  queryAll(root, text) {
    const index = Number(text);
    const view = (root.ownerDocument ?? root).defaultView;
    const framesOf = part => [...part.querySelectorAll('*')].flatMap(element =>
      element.matches('iframe, frame, object, embed') ? [element]
        : element.shadowRoot ? framesOf(element.shadowRoot) : []);
    const frames = framesOf(root);
    if (index < view.length) return frames.filter(frame => frame.contentWindow === view[index]);
    const inShadow = frames.filter(frame => frame.getRootNode() !== frame.ownerDocument);
    return inShadow.slice(index - view.length).slice(0, 1);
  },
  query(root, text) { return this.queryAll(root, text)[0]; },
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
    return _Builder(page, test_id_attribute).locator(page, target)


@dataclass(frozen=True)
class _Builder:
    """Builds locators. Playwright joins only locators of one frame, so operands never enter one themselves."""

    page: Page
    test_id_attribute: str

    def locator(self, outer: Root, target: Target) -> Locator:
        root = outer
        if target.frame is not None:
            root = self.locator(root, target.frame).content_frame
        if target.within is not None:
            root = self.locator(root, target.within)
        return self._narrowed(self._named(root, target), target)

    def _operand(self, target: Target) -> Locator:
        return self.locator(self.page, _unframed(target))

    def _named(self, root: Root, target: Target) -> Locator:
        kinds = [kind for kind in Target.kinds if getattr(target, kind) is not None]
        first, *others = [kind for kind in kinds if kind != "name" or target.role is None]
        operands = [self._by_kind(self._base(target), target, kind) for kind in others]
        return reduce(lambda a, b: a.and_(b), operands, self._by_kind(root, target, first))

    def _base(self, target: Target) -> Root:
        """Return the root of operands: the element that the target is searched in."""
        return self.page if target.within is None else self._operand(target.within)

    def _by_kind(self, root: Root, target: Target, kind: str) -> Locator:
        match kind:
            case "name":
                return self._by_name(root, target)
            case "label":
                assert target.label is not None
                return self._labelled(root, target.label, target.exact)
            case "test_id":
                assert target.test_id is not None
                return root.locator(_test_id_selector(self.test_id_attribute, target.test_id))
        return _KINDS[kind](root, target)

    def _narrowed(self, locator: Locator, target: Target) -> Locator:
        if target.has_text is not None or target.has_not_text is not None:
            locator = locator.filter(has_text=_text(target.has_text), has_not_text=_text(target.has_not_text))
        if target.has is not None:
            locator = locator.filter(has=self._operand(target.has))
        if target.has_not is not None:
            locator = locator.filter(has_not=self._operand(target.has_not))
        if target.visible is not None:
            locator = locator.filter(visible=target.visible)
        if target.and_ is not None:
            locator = locator.and_(self._operand(target.and_))
        if target.or_ is not None:
            locator = locator.or_(self._operand(target.or_))
        return locator if target.nth is None else locator.nth(target.nth)

    def _by_name(self, root: Root, target: Target) -> Locator:
        """Any element that people act on with this accessible name, or a plain one with this aria-label.

        As Chrome's `aria/` selectors the name is the whole name, unless `exact` is False.
        """
        assert target.name is not None
        exact, name, base = target.exact is not False, playwright_text(target.name), self._base(target)
        roles = [base.get_by_role(cast(Any, role), name=name, exact=exact) for role in INTERACTIVE_ROLES]
        if isinstance(target.name, str):
            roles.append(base.locator(f"xpath={_label_of_its_own(target.name, exact)}"))
        return reduce(lambda a, b: a.or_(b), roles, self._labelled(root, target.name, exact))

    def _labelled(self, root: Root, label: str | Regex, exact: bool | None) -> Locator:
        """Return what a label names, never the `<label>` itself.

        Playwright's own search also finds a `<label aria-label="Name">`, beside the field it belongs to, and so
        would call the field ambiguous.
        """
        found = root.get_by_label(playwright_text(label), exact=exact)
        return found.and_(self.page.locator(":not(label)"))


def _unframed(target: Target) -> Target:
    """Return the target without the frames it is in."""
    within = None if target.within is None else _unframed(target.within)
    return target.model_copy(update={"frame": None, "within": within})


def _text(text: str | Regex | None) -> str | re.Pattern[str] | None:
    return None if text is None else playwright_text(text)


def _role(root: Root, target: Target) -> Locator:
    return root.get_by_role(
        cast(Any, target.role),  # an unknown role matches nothing, which the step then says
        name=_text(target.name),
        exact=target.exact,
        checked=target.checked,
        disabled=target.disabled,
        expanded=target.expanded,
        pressed=target.pressed,
        selected=target.selected,
        level=target.level,
        include_hidden=target.include_hidden,
    )


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


def _css_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\a ")
    return f'"{escaped}"'


def _test_id_selector(attribute: str, value: str | Regex) -> str:
    if isinstance(value, str):
        return f"[{attribute}={_css_string(value)}]"
    source = _QUOTE.sub(r"\1\\\2", value.pattern).replace(">>", r"\>\>")
    return f"internal:testid=[{attribute}=/{source}/{value.flags}]"


_QUOTE = re.compile(r"""((?:^|[^\\])(?:\\\\)*)(["'`])""")
_KINDS: dict[str, Callable[[Root, Target], Locator]] = {
    "role": _role,
    "text": lambda root, t: root.get_by_text(playwright_text(t.text or ""), exact=t.exact),
    "placeholder": lambda root, t: root.get_by_placeholder(playwright_text(t.placeholder or ""), exact=t.exact),
    "alt": lambda root, t: root.get_by_alt_text(playwright_text(t.alt or ""), exact=t.exact),
    "title": lambda root, t: root.get_by_title(playwright_text(t.title or ""), exact=t.exact),
    "css": lambda root, t: root.locator(f"css={t.css}"),
    "xpath": lambda root, t: root.locator(f"xpath={t.xpath}"),
    "selector": lambda root, t: root.locator(t.selector or ""),
}
