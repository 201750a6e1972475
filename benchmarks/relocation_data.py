"""Relocation data as situations to decide: each stored element with its page, and with the page it is gone from.

A line of the data is one site: `candidates`, the elements of the page today, and `pairs`: `old`, the stored
element, and `answer`, the index of the candidate that it is now.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.relocation import Element, fingerprint_of
from processors.healing.fingerprint import Fingerprint


@dataclass(frozen=True, kw_only=True)
class Situation:
    """One stored element, the page it is sought on, and which candidates would be right (none when it is gone)."""

    site: str
    old: Fingerprint
    others: tuple[Fingerprint, ...]
    candidates: tuple[Fingerprint, ...]
    right: frozenset[int]
    hard: bool


def situations(path: Path, *, alone: bool = False) -> Iterator[Situation]:
    """Two situations for each pair: the element is there, the element is gone. `alone` leaves out the others."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield from (replace(each, others=()) if alone else each for each in _of_site(json.loads(line)))


def _of_site(site: dict[str, Any]) -> Iterator[Situation]:
    raw = site["candidates"]
    candidates = [fingerprint_of(element) for element in raw]
    stored = [fingerprint_of(pair["old"]) for pair in site["pairs"]]
    for number, pair in enumerate(site["pairs"]):
        goal = raw[pair["answer"]]
        common: dict[str, Any] = {
            "site": site["site"],
            "old": stored[number],
            "others": tuple(stored[:number] + stored[number + 1 :]),
            "hard": _is_hard(pair["old"], goal),
        }
        right = frozenset(at for at, element in enumerate(raw) if _same_spot(element["xpath"], goal["xpath"]))
        yield Situation(**common, candidates=tuple(candidates), right=right)
        rest = tuple(candidates[at] for at in _without(goal, raw))
        yield Situation(**common, candidates=rest, right=frozenset())


def _same_spot(one: str, other: str) -> bool:
    return one == other or one.rpartition("/")[0] == other or other.rpartition("/")[0] == one


def _without(goal: Element, elements: Sequence[Element]) -> list[int]:
    """The elements that are neither the goal, nor in it or around it, nor its twins by text or link."""
    text, href, path = _text(goal), goal.get("href"), goal["xpath"]
    return [
        at
        for at, element in enumerate(elements)
        if not (element["xpath"] + "/").startswith(path + "/")
        and not (path + "/").startswith(element["xpath"] + "/")
        and not (text and _text(element) == text)
        and not (href and element.get("href") == href)
    ]


def _text(element: Element) -> str:
    return " ".join(element.get("visibleText") or ()).strip().lower()


def _is_hard(old: Element, new: Element) -> bool:
    kept_id = bool(old.get("id")) and old.get("id") == new.get("id")
    return bool(old["xpath"] != new["xpath"] and old.get("idxpath") != new.get("idxpath") and not kept_id)
