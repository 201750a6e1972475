"""A recorded step's `selectors` as one target: the first alternative, with the others as its fallbacks.

An alternative is a selector or a path of selectors through shadow roots. Prefixes: `aria/` (accessible name and
role), `text/` (a part of the text), `xpath/`, `pierce/` (CSS through shadow roots), none (CSS).

Which of the roles in Chrome's accessibility tree are ARIA's; others are its own, such as StaticText.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from qa_queue.cases.targets import Target

Alternative = tuple[str, ...]

_ARIA_ATTRIBUTE = re.compile(r"""\[\s*(name|role)\s*=\s*(["'])((?:\\.|(?!\2).)*)\2\s*\]""")
_PUPPETEER_ONLY = re.compile(r"::-p-(aria|text|xpath)\((.*)\)", re.DOTALL)
_DEEP_COMBINATOR = re.compile(r"\s*>>>>?\s*")
_CANVAS = re.compile(r"(^|[\s>/*])canvas\b")


@dataclass(frozen=True)
class Aim:
    """The element of a recorded step. `unread` are alternatives that have no counterpart here."""

    target: Target | None
    unread: tuple[str, ...] = ()
    canvas: bool = False


def alternatives(selectors: Any) -> tuple[Alternative, ...]:
    """The alternatives, each as a path; values other than text are left out."""
    paths = [[one] if isinstance(one, str) else one for one in selectors if isinstance(one, (str, list))]
    return tuple(tuple(part for part in path if isinstance(part, str) and part) for path in paths if path)


def aim(step: dict[str, Any]) -> Aim:
    """The target of a step that has `selectors`; None when no alternative can be read."""
    paths = [path for path in alternatives(step.get("selectors") or ()) if path]
    spellings = [path[0].removeprefix("text/") for path in paths if path[0].startswith("text/")]
    read = [_path_target(path, spellings) for path in paths]
    unread = tuple(" ".join(path) for path, target in zip(paths, read, strict=True) if target is None)
    unique = list(dict.fromkeys(_in_frame(target, step.get("frame")) for target in read if target))
    target = unique[0].model_copy(update={"fallbacks": tuple(unique[1:])}) if unique else None
    return Aim(target, unread, any(_CANVAS.search(path[-1]) for path in paths))


def css_target(css: str, frame: Any, nth: int | None = None) -> Target:
    """The target of a CSS selector in a recorded frame."""
    return _in_frame(Target(css=css, nth=nth), frame)


def _in_frame(target: Target, frame: Any) -> Target:
    """The target inside a frame, which a recording names by its index at each level."""
    holder: Target | None = None
    for index in frame if isinstance(frame, list) else ():
        holder = Target(css="iframe, frame", nth=index, frame=holder)
    return target if holder is None else target.model_copy(update={"frame": holder})


def _path_target(path: Alternative, spellings: list[str]) -> Target | None:
    parts = [_part(part, spellings) for part in path]
    if None in parts:
        return None
    fields = [part for part in parts if part]
    target: Target | None = None
    for part in fields:
        target = Target(**part, within=target)
    return target


def _part(selector: str, spellings: list[str]) -> dict[str, Any] | None:
    """The fields of one selector's target; empty when it adds nothing, None when it cannot be read."""
    if special := _PUPPETEER_ONLY.fullmatch(selector):
        selector = f"{special[1]}/{special[2].strip()}"
    prefix, slash, rest = selector.partition("/")
    match prefix if slash else "":
        case "aria":
            return _aria(rest, spellings)
        case "text":
            return {"text": rest} if rest else None
        case "xpath":
            return {"xpath": rest} if rest else None
        case "pierce":
            return _css(rest)
        case _:
            return _css(selector)


def _css(selector: str) -> dict[str, Any] | None:
    if "::-p-" in selector or not selector.strip():
        return None
    return {"css": _DEEP_COMBINATOR.sub(" ", selector).strip()}


def _aria(text: str, spellings: list[str]) -> dict[str, Any] | None:
    given = {match[1]: match[3] for match in _ARIA_ATTRIBUTE.finditer(text)}
    name = " ".join((given.get("name") or _ARIA_ATTRIBUTE.sub("", text)).split())
    role = ROLE_SYNONYMS.get(given.get("role", ""), given.get("role", ""))
    named = {"name": _as_written(name, spellings), "exact": True} if name else {}
    if role in ARIA_ROLES:
        return {"role": role} | named
    if role == "StaticText" and name:
        return {"text": name, "exact": True}
    return named if named or role else None


def _as_written(name: str, spellings: list[str]) -> str:
    """The name as it stands in the page. Chrome's names are spelled as shown, so after `text-transform`; a recorded
    `text/` selector has the page's own spelling."""
    same = [text for text in spellings if text != name and text.upper() == name]
    return same[0] if same else name


# WAI-ARIA 1.2, without `generic`, `none` and `presentation`, which name nothing that one could look for.
ARIA_ROLES = frozenset(
    """
    alert alertdialog application article banner blockquote button caption cell checkbox code columnheader combobox
    complementary contentinfo definition deletion dialog directory document emphasis feed figure form grid gridcell
    group heading img insertion link list listbox listitem log main marquee math menu menubar menuitem
    menuitemcheckbox menuitemradio meter navigation note option paragraph progressbar radio radiogroup region row
    rowgroup rowheader scrollbar search searchbox separator slider spinbutton status strong subscript superscript
    switch tab table tablist tabpanel term textbox time timer toolbar tooltip tree treegrid treeitem
    """.split()  # noqa: SIM905 - seventy quoted words would be harder to read
)
ROLE_SYNONYMS = {"image": "img"}
