"""The shapes of `qa-alerts.yaml`, on those of case files: what stands where, and what is said when it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qa_queue.cases.document_path import INVALID, DocumentPath, Invalid, kind_text
from qa_queue.cases.keys import Field, Keys
from qa_queue.cases.shapes import Choice, ListOf, Number, Schema, Text, parse_duration
from qa_queue.monitoring.alerts.rules import LONGEST_WINDOW_S, MINUTE, ON_QUEUES, UNITS, RuleKind, Severity

SEVERITIES = tuple(severity.value for severity in Severity)
_DAY = 24 * 3600.0


@dataclass(frozen=True)
class Seconds:
    """A duration with its unit, as `500ms`, `30s`, `5m` or `1h`; read as seconds."""

    least: float = 0
    most: float = _DAY

    def read(self, place: DocumentPath, value: Any) -> float | Invalid:
        """The duration in s."""
        parsed = parse_duration(value) if isinstance(value, str) else None
        if parsed is None:
            return place.wrong(f"{kind_text(value)} is no duration; write 30s, 5m or 1h")
        if not self.least <= parsed / 1000 <= self.most:
            return place.wrong(f"{kind_text(value)} is out of range: {self.least:g}s to {self.most:g}s")
        return parsed / 1000

    def schema(self) -> Schema:
        """A pattern."""
        return {"type": "string"}


@dataclass(frozen=True)
class Mib:
    """A size in MiB; read as bytes."""

    def read(self, place: DocumentPath, value: Any) -> float | Invalid:
        """The size in bytes."""
        found = Number(1).read(place, value)
        return INVALID if found is INVALID else float(found) * (1 << 20)

    def schema(self) -> Schema:
        """An integer."""
        return Number(1).schema()


@dataclass(frozen=True)
class Anything:
    """A value that is looked at elsewhere."""

    def read(self, _place: DocumentPath, value: Any) -> Any:
        """The value as it stands."""
        return value

    def schema(self) -> Schema:
        """Any."""
        return {}


TOP = Keys(
    {
        "version": Field(Number(1, 1), "The format's version: 1.", required=True),
        "every": Field(Seconds(1, 15), "How often the rules are looked at.", attr="every_s"),
        "group_wait": Field(Seconds(0, 600), "How long the first waits for others.", attr="group_wait_s"),
        "rules": Field(Anything(), "What is watched."),
        "channels": Field(Anything(), "Who is told."),
    }
)
_COMMON: Mapping[str, Field] = {
    "kind": Field(Choice(tuple(kind.value for kind in RuleKind)), "What it looks at."),
    "severity": Field(Choice(SEVERITIES), "How bad it is."),
    "for": Field(Seconds(), "How long it must have lasted.", attr="hold_s"),
    "cooldown": Field(Seconds(), "The least time between two messages.", attr="cooldown_s"),
    "repeat": Field(Seconds(), "How often it is told again; 0s is never.", attr="repeat_s"),
}
_WINDOW = Field(Seconds(MINUTE, LONGEST_WINDOW_S), "The time that is looked at.", attr="window_s")
_LIMITS: Mapping[str, Mapping[str, Field]] = {
    "jobs": {"above": Field(Number(0), "More jobs than this are too many.", attr="limit")},
    "seconds": {"above": Field(Seconds(most=7 * _DAY), "Longer than this is too long.", attr="limit")},
    "share": {"above": Field(Number(0, 1, whole=False), "A larger share than this is too much.", attr="limit")},
    "bytes": {"below_mb": Field(Mib(), "Less MiB than this are too few.", attr="limit")},
    "": {},
}
_EXTRAS: Mapping[RuleKind, Mapping[str, Field]] = {
    RuleKind.DEAD_LETTER: {"window": _WINDOW},
    RuleKind.WORKER_LOST: {"window": _WINDOW},
    RuleKind.FAILURE_RATE: {"window": _WINDOW, "least_runs": Field(Number(1), "Fewer runs say nothing.")},
}
CHANNEL = Keys(
    {
        "url": Field(Text(min_length=1), "A URL as apprise takes it."),
        "webhook": Field(Text(min_length=1), "The address of a webhook of your own."),
        "secret": Field(Text(min_length=1), "What signs the webhook's messages."),
        "severity": Field(Choice(SEVERITIES), "The least severity that is sent here."),
        "timeout": Field(Seconds(1, 60), "How long one try may take.", attr="timeout_s"),
    }
)


def rule_keys(kind: RuleKind, queues: tuple[str, ...]) -> Keys:
    """The keys of a rule of this kind; `queues` are those that there are."""
    named = {"queues": Field(ListOf(Choice(queues), or_one=True), "Those that it looks at.")}
    on_queues = named if kind in ON_QUEUES or kind is RuleKind.WORKER_LOST else {}
    return Keys({**_COMMON, **_LIMITS[UNITS.get(kind, "")], **_EXTRAS.get(kind, {}), **on_queues})
