"""The adapter between relocation data and the healer: what `score_relocation` calls is what a live run calls.

score_relocation.py benchmarks.relocation:relocate DATA.jsonl.gz
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from processors.healing.decision import HealAccepted, decide
from processors.healing.fingerprint import Box, Fingerprint

Element = Mapping[str, Any]


def relocate(old: Element, candidates: Sequence[Element], others: Sequence[Element]) -> int | None:
    """The index of the candidate that is the stored element `old`, or None to refuse."""
    decision = decide(
        fingerprint_of(old),
        [fingerprint_of(candidate) for candidate in candidates],
        [fingerprint_of(other) for other in others],
    )
    return decision.index if isinstance(decision, HealAccepted) else None


def fingerprint_of(element: Element) -> Fingerprint:
    """One element of the data as a fingerprint; what the data lacks (role, label, test ids) stays unrecorded."""
    return Fingerprint(
        tag=element["tag"],
        id=element["id"] or "",
        name=element["name"] or "",
        classes=tuple(element["classList"]),
        text=" ".join(element["visibleText"] or ()),
        href=element["href"] or "",
        alt=element["alt"] or "",
        neighbours=tuple(element["neighborText"] or ()),
        box=Box(**element["location"]),
        xpath=element["xpath"],
        id_xpath=element["idxpath"],
        looks_like_button=element["isButton"],
    )
