"""The syntax of values in texts: `${KIND.NAME}`, a path into the value, `:-` for a default. Pure.

`$${` stands for a plain `${`, so that any text can be written; `escaped` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from qa_queue.cases.generated import GENERATED, fault_of
from qa_queue.errors.schema_path import KeyPath
from qa_queue.errors.validation import nearest, path_text

Kind = Literal["env", "var", "data", "param", "secret", "run", "uuid", "now", "random"]
KINDS = ("env", "var", "data", "param", "secret", "run")
RUN_VALUES = ("id", "attempt")
EXAMPLES = "${env.X}, ${var.X}, ${data.X}, ${param.X}, ${secret.X}, ${run.id}, ${uuid}, ${now} or ${random.int:1:9}"
_NESTED = ("var", "data", "param")
_REMEMBERED = 100  # characters
_HEAD = re.compile(r"(?P<name>[^.\[\]]+)(?P<path>(?:\.[^.\[\]]+|\[-?\d{1,9}\])*)")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(-?\d+)\]")


@dataclass(frozen=True)
class Reference:
    """`${KIND.NAME}` or `${KIND.NAME:-DEFAULT}`; `path` leads into the value, as in `${var.item.tags[0]}`.

    A generated value has `arguments` instead of a default: `${random.int:1:9}` is random, int and `1:9`.
    """

    kind: Kind
    name: str = ""
    default: str | None = None
    path: KeyPath = ()
    arguments: str = ""

    @property
    def generated(self) -> bool:
        """True for a value that is made from the run's seed."""
        return self.kind in GENERATED

    def __str__(self) -> str:
        inside = path_text((self.kind, self.name, *self.path) if self.name else (self.kind, *self.path))
        return f"${{{inside}:{self.arguments}}}" if self.arguments else f"${{{inside}}}"


@dataclass(frozen=True)
class Broken:
    """Text that begins like a reference but is not one; `why` says what is wrong and what to write."""

    text: str
    why: str


Piece = str | Reference | Broken


def pieces(text: str) -> Iterator[Piece]:
    """Yield the text cut into plain parts and references. `$${` stands for a plain `${`."""
    done = 0  # characters; the rest is not copied, as a text may have a hundred thousand references
    while (start := text.find("${", done)) >= 0:
        if start > done and text[start - 1] == "$":
            yield text[done : start - 1] + "${"
            done = start + 2
            continue
        yield text[done:start]
        end = text.find("}", start)
        yield _reference(text[start + 2 : end if end >= 0 else len(text)], closed=end >= 0)
        done = end + 1 if end >= 0 else len(text)
    yield text[done:]


def fill(text: str, value_of: Callable[[Reference | Broken], str]) -> str:
    """Return the text with each reference replaced by its value."""
    return "".join(piece if isinstance(piece, str) else value_of(piece) for piece in pieces(text))


def escaped(text: str) -> str:
    """Return a text that stands for this one as it is: every `${` in it is plain."""
    return text.replace("${", "$${")


def whole(text: str) -> Reference | None:
    """Return the reference that a text consists of; None for text with anything beside it."""
    if not (text.startswith("${") and text.endswith("}")):
        return None
    found = [piece for piece in pieces(text) if piece != ""]
    return found[0] if len(found) == 1 and isinstance(found[0], Reference) else None


def _reference(body: str, *, closed: bool) -> Reference | Broken:
    short = len(body) <= _REMEMBERED  # others may be as long as a whole case
    return (_parsed if short else _parsed.__wrapped__)(body, closed=closed)


@lru_cache(maxsize=1_000)
def _parsed(body: str, *, closed: bool) -> Reference | Broken:
    text = f"${{{body}}}" if closed else f"${{{body}"
    if not closed:
        return Broken(text, "is not closed with '}'; write $${ for a plain ${")
    if "${" in body:
        return Broken(text, "holds another ${...}, which is not possible")
    word = re.match(r"\w*", body.strip())
    assert word is not None
    if word[0] in GENERATED:
        return _generated(text, body.strip())
    return _named(text, body)


def _generated(text: str, body: str) -> Reference | Broken:
    head, _, arguments = body.partition(":")
    kind, _, name = head.strip().partition(".")
    fault = fault_of(kind, name, arguments)
    return Broken(text, fault) if fault else Reference(cast(Kind, kind), name, arguments=arguments)


def _named(text: str, body: str) -> Reference | Broken:
    head, has_default, default = body.partition(":-")
    kind, _, rest = head.strip().partition(".")
    found = _HEAD.fullmatch(rest)
    if kind not in KINDS or found is None:
        return Broken(text, f"is not a value: write {EXAMPLES}, or $${{ for a plain ${{{_hint(kind, rest)}")
    name, path = found["name"], _path(found["path"])
    if kind != "data" and not name.isidentifier():
        return Broken(text, f"is not a value: a name has letters, digits and _, and {name!r} has others")
    if path and kind not in _NESTED:
        return Broken(text, f"is not a value: write ${{{kind}.NAME}}, as its values have no parts")
    if kind == "run" and name not in RUN_VALUES:
        return Broken(text, "is not a value: a run has ${run.id} and ${run.attempt}")
    return Reference(cast(Kind, kind), name, default if has_default else None, path)


def _hint(kind: str, rest: str) -> str:
    if kind.isidentifier() and kind not in KINDS and not rest:
        return f"; did you mean ${{var.{kind}}}?"
    near = nearest(kind, (*KINDS, *GENERATED)) if kind not in KINDS else None
    if near is None:
        return ""
    return f"; did you mean ${{{near}{'.' if rest else ''}{rest}}}?" if near in KINDS else f"; did you mean {near}?"


def _path(text: str) -> KeyPath:
    return tuple(key or int(index) for key, index in _STEP.findall(text))
