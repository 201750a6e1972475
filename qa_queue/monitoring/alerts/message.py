"""A message about alerts: for people as a title and text, for programs as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from qa_queue.models import Frozen
from qa_queue.monitoring.alerts.conditions import duration_words
from qa_queue.monitoring.alerts.rules import Severity
from qa_queue.monitoring.alerts.state import Alert

VERSION: Literal[1] = 1


class Item(Frozen):
    """One alert in a message; `until` is when it was over."""

    status: Literal["firing", "resolved"]
    rule: str
    kind: str
    subject: str
    severity: Severity
    summary: str
    value: float
    since: datetime
    until: datetime | None = None


class Message(Frozen):
    """What is told at once. `id` stays the same when it is sent again; `test` ones mean nothing."""

    version: Literal[1] = VERSION
    id: str
    sent_at: datetime
    sender: str
    test: bool = False
    alerts: tuple[Item, ...]

    @property
    def title(self) -> str:
        """One line that says the worst."""
        worst = sorted(self.alerts, key=_weight)[0]
        word = "resolved" if worst.status == "resolved" else worst.severity.value
        more = f" (and {len(self.alerts) - 1} more)" if len(self.alerts) > 1 else ""
        about = f": {worst.subject}" if worst.subject else ""
        return f"[qa-queue] {'TEST ' if self.test else ''}{word.upper()} {worst.rule}{about}{more}"

    @property
    def text(self) -> str:
        """Every alert in a paragraph, the worst first."""
        return "\n\n".join(_paragraph(item) for item in sorted(self.alerts, key=_weight))

    @property
    def severity(self) -> Severity:
        """The worst of its alerts."""
        return max((item.severity for item in self.alerts), key=lambda severity: severity.rank)

    def document(self) -> dict[str, Any]:
        """The message as JSON."""
        return self.model_dump(mode="json") | {"title": self.title, "text": self.text}

    def at_least(self, severity: Severity) -> Message | None:
        """The message with those alerts alone that are as bad as this; None when there are none."""
        kept = tuple(item for item in self.alerts if item.severity.rank >= severity.rank)
        return self.model_copy(update={"alerts": kept}) if kept else None


def compose(
    fired: Iterable[Alert], resolved: Iterable[Alert], *, message_id: str, now: datetime, sender: str
) -> Message:
    """One message of all that is to be told now."""
    items = [_item(alert, None) for alert in fired] + [_item(alert, now) for alert in resolved]
    return Message(id=message_id, sent_at=now, sender=sender, alerts=tuple(items))


def trial_message(*, message_id: str, now: datetime, sender: str) -> Message:
    """A message that says only that it came through."""
    item = Item(
        status="firing",
        rule="test",
        kind="test",
        subject="",
        severity=Severity.CRITICAL,
        summary="Nothing is wrong: `qa-queue alerts test` sent this, and it came through.",
        value=0,
        since=now,
    )
    return Message(id=message_id, sent_at=now, sender=sender, test=True, alerts=(item,))


def _item(alert: Alert, until: datetime | None) -> Item:
    since = alert.firing_since if alert.firing_since is not None else alert.told_at or 0.0
    return Item(
        status="resolved" if until else "firing",
        rule=alert.rule,
        kind=alert.kind.value,
        subject=alert.subject,
        severity=alert.severity,
        summary=alert.summary,
        value=alert.value,
        since=datetime.fromtimestamp(since, UTC),
        until=until,
    )


def _weight(item: Item) -> tuple[bool, int, str, str]:
    return (item.status == "resolved", -item.severity.rank, item.rule, item.subject)


def _paragraph(item: Item) -> str:
    head = f"{item.severity.value.upper()} {item.rule}{f' ({item.subject})' if item.subject else ''}"
    if item.until is None:
        return f"{head}, since {_moment(item.since)}\n{item.summary}"
    lasted = duration_words((item.until - item.since).total_seconds())
    return f"RESOLVED {head}, after {lasted} at {_moment(item.until)}\nIt was: {item.summary}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
