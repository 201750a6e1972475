"""`${...}` in a text: finding the references and filling them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, cast

Kind = Literal["env", "var", "secret"]
KINDS = ("env", "var", "secret")


@dataclass(frozen=True)
class Reference:
    """`${KIND.NAME}` or `${KIND.NAME:-DEFAULT}`."""

    kind: Kind
    name: str
    default: str | None = None

    def __str__(self) -> str:
        return f"${{{self.kind}.{self.name}}}"


@dataclass(frozen=True)
class Broken:
    """Something that begins as a reference and is none; `why` says what is wrong and how to mend it."""

    text: str
    why: str


Piece = str | Reference | Broken


def pieces(text: str) -> Iterator[Piece]:
    """The text cut into plain parts and references. `$${` stands for a plain `${`."""
    rest = text
    while (start := rest.find("${")) >= 0:
        if start and rest[start - 1] == "$":
            yield rest[: start - 1] + "${"
            rest = rest[start + 2 :]
            continue
        yield rest[:start]
        end = rest.find("}", start)
        body = rest[start + 2 : end] if end >= 0 else rest[start + 2 :]
        yield _reference(body, closed=end >= 0)
        rest = rest[end + 1 :] if end >= 0 else ""
    yield rest


def _reference(body: str, *, closed: bool) -> Reference | Broken:
    whole = f"${{{body}}}" if closed else f"${{{body}"
    if not closed:
        return Broken(whole, "is not closed with '}'; write $${ for a plain ${")
    if "${" in body:
        return Broken(whole, "holds another ${...}, which is not possible")
    head, has_default, default = body.partition(":-")
    kind, _, name = head.strip().partition(".")
    if kind == "data":
        return Broken(whole, "reads rows of data, which are part of the format but not supported by this version")
    if kind not in KINDS or not name.isidentifier():
        return Broken(whole, "is no value: write ${env.X}, ${var.X} or ${secret.X}, or $${ for a plain ${")
    return Reference(cast(Kind, kind), name, default if has_default else None)


def fill(text: str, value_of: Callable[[Reference | Broken], str]) -> str:
    """The text with each reference replaced by its value."""
    return "".join(piece if isinstance(piece, str) else value_of(piece) for piece in pieces(text))
