"""A recorded step's `selectors` as one target: the first alternative, with the others as its fallbacks.

An alternative is a selector or a path of selectors through shadow roots. Prefixes: `aria/` (accessible name and
role), `text/` (the beginning of the text), `xpath/`, `pierce/` (CSS through shadow roots), none (CSS).

The recorder writes into `text/` an element's text, of a long one as many of its first words as single it out; its
replay compares in the text's own case. A text beside other alternatives is read as what the recorder wrote, so that
it matches no more loosely than they do; one that stands alone may also be an author's own and is looked for
anywhere between words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from qa_queue.cases.targets import ARIA_ROLES, ATTACHED_FRAME, Target

Alternative = tuple[str, ...]

_ARIA_ATTRIBUTE = re.compile(r"""\[\s*(name|role)\s*=\s*(["'])((?:\\.|(?!\2).)*)\2\s*\]""")
_PUPPETEER_ONLY = re.compile(r"::-p-(aria|text|xpath)\((.*)\)", re.DOTALL)
_DEEP_COMBINATOR = re.compile(r"\s*>>>>?\s*")
_SHORTENED = 12  # characters that the recorder leaves of a text at least
_REGEX_SYNTAX = re.compile(r"[\\^$.*+?()\[\]{}|/]")
_WORD = r"[\p{L}\p{N}_]"


@dataclass(frozen=True)
class Aim:
    """The element of a recorded step. `unread` are alternatives that have no counterpart here."""

    target: Target | None
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Neighbours:
    """The alternatives beside a selector: the accessible names, the texts, and whether all are texts."""

    names: tuple[str, ...]
    texts: tuple[str, ...]
    only_texts: bool


def alternatives(selectors: Any) -> tuple[Alternative, ...]:
    """The alternatives, each as a path; values other than text are left out."""
    if not isinstance(selectors, (list, tuple)):
        return ()
    paths = [[one] if isinstance(one, str) else one for one in selectors if isinstance(one, (str, list))]
    return tuple(tuple(part for part in path if isinstance(part, str) and part) for path in paths if path)


def aim(step: dict[str, Any]) -> Aim:
    """The target of a step that has `selectors`; None when no alternative can be read."""
    paths = [path for path in alternatives(step.get("selectors") or ()) if path]
    beside = _neighbours([path[-1] for path in paths])
    read = [_path_target(path, beside) for path in paths]
    unread = tuple(" ".join(path) for path, target in zip(paths, read, strict=True) if target is None)
    unique = list(dict.fromkeys(_in_frame(target, step.get("frame")) for target in read if target))
    target = unique[0].model_copy(update={"fallbacks": tuple(unique[1:])}) if unique else None
    return Aim(target, unread)


def accessible_name(selector: str) -> str | None:
    """The name in an `aria/` selector; None for any other selector, or one of a role alone."""
    kind, rest = _prefixed(selector)
    return (_name_and_role(rest)[0] or None) if kind == "aria" else None


def _neighbours(last_parts: list[str]) -> _Neighbours:
    names = tuple(name for part in last_parts if (name := accessible_name(part)))
    texts = [_prefixed(part) for part in last_parts]
    return _Neighbours(
        names,
        tuple(rest for kind, rest in texts if kind == "text"),
        all(kind == "text" for kind, _ in texts),
    )


def css_target(css: str, frame: Any, nth: int | None = None) -> Target:
    """The target of a CSS selector in a recorded frame."""
    return _in_frame(Target(css=css, nth=nth), frame)


def _in_frame(target: Target, frame: Any) -> Target:
    """The target inside a frame, which a recording names by its number at each level, in order of attachment."""
    holder: Target | None = None
    for index in frame if isinstance(frame, list) else ():
        holder = Target(selector=f"{ATTACHED_FRAME}={index}", frame=holder)
    return target if holder is None else target.model_copy(update={"frame": holder})


def _path_target(path: Alternative, beside: _Neighbours) -> Target | None:
    parts = [_part(part, beside) for part in path]
    if None in parts:
        return None
    fields = [part for part in parts if part]
    target: Target | None = None
    for part in fields:
        target = Target(**part, within=target)
    return target


def _prefixed(selector: str) -> tuple[str, str]:
    """The kind of a selector (aria, text, xpath, pierce, css) and the rest of it."""
    if special := _PUPPETEER_ONLY.fullmatch(selector):
        return special[1], special[2].strip()
    prefix, slash, rest = selector.partition("/")
    return (prefix, rest) if slash and prefix in ("aria", "text", "xpath", "pierce") else ("css", selector)


def _part(selector: str, beside: _Neighbours) -> dict[str, Any] | None:
    """The fields of one selector's target; empty when it adds nothing, None when it cannot be read."""
    match _prefixed(selector):
        case "aria", rest:
            return _aria(rest, beside.texts)
        case "text", rest:
            return _text(rest.strip(), beside) if rest.strip() else None
        case "xpath", rest:
            return {"xpath": rest} if rest else None
        case _, rest:
            return _css(rest)


def _css(selector: str) -> dict[str, Any] | None:
    if "::-p-" in selector or not selector.strip():
        return None
    return {"css": _DEEP_COMBINATOR.sub(" ", selector).strip()}


def _text(text: str, beside: _Neighbours) -> dict[str, Any]:
    if beside.only_texts:
        return {"selector": f"text=/(?<!{_WORD}){_pattern(text)}(?!{_WORD})/u"}
    if len(text) < _SHORTENED:
        return {"text": text, "exact": True}
    longer = (name for name in beside.names if name.lower().startswith(text.lower()))
    if (whole := next(longer, None)) is not None:
        return {"text": text + whole[len(text) :], "exact": True}
    return {"selector": rf"text=/^\s*{_pattern(text)}(?!{_WORD})/u"}


def _pattern(text: str) -> str:
    """A regular expression of JavaScript that matches this text, however its words are spaced."""
    return r"\s+".join(_REGEX_SYNTAX.sub(r"\\\g<0>", word) for word in text.split())


def _name_and_role(text: str) -> tuple[str, str]:
    given = {match[1]: match[3] for match in _ARIA_ATTRIBUTE.finditer(text)}
    name = " ".join((given.get("name") or _ARIA_ATTRIBUTE.sub("", text)).split())
    return name, ROLE_SYNONYMS.get(given.get("role", ""), given.get("role", ""))


def _aria(text: str, spellings: tuple[str, ...]) -> dict[str, Any] | None:
    name, role = _name_and_role(text)
    named = {"name": _as_written(name, spellings), "exact": True} if name else {}
    if role in ARIA_ROLES:
        return {"role": role} | named
    if role == "StaticText" and name:
        return {"text": name, "exact": True}
    return named if named or role else None


def _as_written(name: str, spellings: tuple[str, ...]) -> str:
    """The name as it stands in the page. Chrome's names are spelled as shown, so after `text-transform`; a recorded
    `text/` selector has the page's own spelling."""
    same = [text for text in spellings if text != name and text.upper() == name]
    return same[0] if same else name


ROLE_SYNONYMS = {"image": "img"}
