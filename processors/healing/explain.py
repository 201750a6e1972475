"""Explanations of decisions: the properties for and against a candidate, in one line and as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from processors.healing.compare import DISAGREEMENTS
from processors.healing.decision import Decision, HealAccepted, HealEvidence, HealRefused
from processors.healing.fingerprint import Fingerprint

SPOKE_FOR = 0.5
SPOKE_AGAINST = 0.25
LONGEST = 40


@dataclass(frozen=True, slots=True)
class Row:
    """One property before and after, its points and the most it could have (natural log)."""

    name: str
    before: str
    after: str
    points: float
    most: float

    @property
    def verdict(self) -> str:
        """`for`, `against`, or empty if it says little or neither side has it."""
        if not self.before and not self.after:
            return ""
        if self.points >= SPOKE_FOR * self.most:
            return "for"
        return "against" if self.points <= SPOKE_AGAINST * self.most else ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A summary `line`, and `rows` of a table in the order of weight."""

    line: str
    rows: tuple[Row, ...]


def explain(decision: Decision) -> Explanation:
    """Explain a decision."""
    rows = _rows(decision.evidence) if decision.evidence else ()
    spoken = [_sentence(rows, "for"), _sentence(rows, "against")]
    return Explanation("; ".join([_opening(decision), *filter(None, spoken)]), rows)


def _opening(decision: Decision) -> str:
    match decision:
        case HealAccepted(score=score, margin=margin):
            return f"found, {_percent(score)} likely, {_percent(margin)} ahead of the next"
        case HealRefused(reason=reason, best=None):
            return f"refused: {reason}"
        case HealRefused(reason=reason, score=score):
            return f"refused: {reason}; the most likely one has {_percent(score)}"


def _percent(share: float) -> str:
    return "over 99 %" if share > 0.99 else f"{share:.0%}".replace("%", " %")


def _sentence(rows: tuple[Row, ...], verdict: str) -> str:
    changes = [_change(row) for row in rows if row.verdict == verdict]
    return f"{verdict}: {', '.join(changes)}" if changes else ""


def _change(row: Row) -> str:
    if row.before == row.after:
        return f"{row.name} {row.before}"
    return f"{row.name} {row.before or 'none'} -> {row.after or 'none'}"


def _rows(evidence: HealEvidence) -> tuple[Row, ...]:
    rows = [_row(name, evidence) for name in _PROPERTIES]
    return tuple(sorted(rows, key=lambda row: -max(abs(row.points), row.most)))


def _row(name: str, evidence: HealEvidence) -> Row:
    parts, show = _PROPERTIES[name]
    worth = {part: getattr(evidence.weights.of, part) for part in parts}
    return Row(
        name=name,
        before=_shortened(show(evidence.sought)),
        after=_shortened(show(evidence.found)),
        points=round(sum(worth[part] * getattr(evidence.comparison, part) for part in parts), 2),
        most=round(sum(worth[part] for part in parts if part not in DISAGREEMENTS), 2),
    )


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "\u2026"


def _quoted(text: str | None) -> str:
    return f'"{text}"' if text else ""


def _key(element: Fingerprint) -> str:
    return _quoted(next(iter(element.test_ids), None) or element.name or element.id)


def _words(element: Fingerprint) -> str:
    parts = (element.text, element.accessible_name, element.label, element.placeholder, element.alt, element.title)
    return _quoted(" ".join(dict.fromkeys(part for part in (*parts, element.id, element.name) if part)))


def _place(element: Fingerprint) -> str:
    return f"{element.box.x:.0f},{element.box.y:.0f}" if element.box else ""


def _size(element: Fingerprint) -> str:
    return f"{element.box.width:.0f}x{element.box.height:.0f}" if element.box else ""


_PROPERTIES: dict[str, tuple[tuple[str, ...], Callable[[Fingerprint], str]]] = {
    "wording": (
        ("same_wording", "other_wording", "lost_wording"),
        lambda element: _quoted(element.accessible_name or element.text),
    ),
    "link": (("same_link", "other_link", "lost_link"), lambda element: element.href or element.action or ""),
    "key": (("same_key", "sole_key", "other_key"), _key),
    "words": (("words",), _words),
    "classes": (("markup",), lambda element: " ".join(element.classes)),
    "neighbours": (("neighbours",), lambda element: " ".join(element.neighbours)),
    "path": (("path_tail",), lambda element: element.xpath or ""),
    "kind": (("kind",), lambda element: " ".join(filter(None, (element.tag.lower(), element.role)))),
    "place": (("place", "row"), _place),
    "size": (("width", "height"), _size),
}
