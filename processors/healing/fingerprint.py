"""Fingerprints: the properties of an element, stored when a step passes and taken of every candidate later.

`None` means that a property was not recorded; `""` or an empty tuple that the element does not have it. A property
that one side did not record is never compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """The box of an element, in CSS px from the top left corner of the page."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Fingerprint:
    """The properties of one element.

    `test_ids` has the values of the attributes that tests use (`data-testid` and its kin). `attributes` are all
    others as (name, value). `neighbours` are words drawn near the element. `xpath` is absolute within its frame or
    shadow root, `id_xpath` starts at the nearest ancestor with an id; `frames` and `shadow` name the way into the
    frame and the shadow root. `match_counts` has (locator, number of elements that it matched). `looks_like_button`
    says that it is drawn as one. `href` is where a link leads and `action` where a submitted form goes, within the
    page's own site without the host. `usable` is False for a candidate that is hidden, disabled or covered.
    """

    tag: str
    id: str | None = None
    name: str | None = None
    type: str | None = None
    classes: tuple[str, ...] = ()
    role: str | None = None
    accessible_name: str | None = None
    label: str | None = None
    placeholder: str | None = None
    test_ids: tuple[str, ...] = ()
    text: str | None = None
    href: str | None = None
    action: str | None = None
    alt: str | None = None
    title: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    neighbours: tuple[str, ...] = ()
    box: Box | None = None
    xpath: str | None = None
    id_xpath: str | None = None
    frames: tuple[str, ...] = ()
    shadow: tuple[str, ...] = ()
    match_counts: tuple[tuple[str, int], ...] = ()
    looks_like_button: bool | None = None
    usable: bool = True


_TUPLES = ("classes", "test_ids", "neighbours", "frames", "shadow")
_PAIRS = ("attributes", "match_counts")


def fingerprint_document(fingerprint: Fingerprint) -> dict[str, Any]:
    """Return the fingerprint as JSON without unset properties; `parse_fingerprint` restores it unchanged."""
    document = asdict(fingerprint)
    return {
        field.name: document[field.name]
        for field in fields(fingerprint)
        if field.name == "tag" or document[field.name] != field.default
    }


def parse_fingerprint(document: Mapping[str, Any]) -> Fingerprint:
    """Parse a document of `fingerprint_document`; keys of later versions are ignored.

    Raises:
        KeyError: `tag` is missing.
    """
    known = {field.name for field in fields(Fingerprint)}
    values = {key: value for key, value in document.items() if key in known}
    for key in _TUPLES:
        values[key] = tuple(values.get(key, ()))
    for key in _PAIRS:
        values[key] = tuple((pair[0], pair[1]) for pair in values.get(key, ()))
    if values.get("box") is not None:
        values["box"] = Box(**values["box"])
    return Fingerprint(**{"tag": document["tag"], **values})
