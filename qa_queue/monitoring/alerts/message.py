"""Messages about alerts: title and text for people, JSON for programs. Pure."""

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
    """An alert in a message; `until` is when it was resolved."""

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
    """The alerts that are notified together. `id` is the same in every attempt to send it."""

    version: Literal[1] = VERSION
    id: str
    sent_at: datetime
    sender: str
    test: bool = False
    alerts: tuple[Item, ...]

    @property
    def title(self) -> str:
        """One line about the worst alert, and the number of others."""
        worst = sorted(self.alerts, key=_weight)[0]
        word = "resolved" if worst.status == "resolved" else worst.severity.value
        more = f" (and {len(self.alerts) - 1} more)" if len(self.alerts) > 1 else ""
        about = f": {worst.subject}" if worst.subject else ""
        return f"[qa-queue] {'TEST ' if self.test else ''}{word.upper()} {worst.rule}{about}{more}"

    @property
    def text(self) -> str:
        """A paragraph for each alert, the worst first."""
        return "\n\n".join(_paragraph(item) for item in sorted(self.alerts, key=_weight))

    @property
    def severity(self) -> Severity:
        """The severity of the worst alert."""
        return max((item.severity for item in self.alerts), key=lambda severity: severity.rank)

    def document(self) -> dict[str, Any]:
        """Return the message as a JSON document."""
        return self.model_dump(mode="json") | {"title": self.title, "text": self.text}

    def at_least(self, severity: Severity) -> Message | None:
        """Return the message with its alerts of at least this severity; None if there are none."""
        kept = tuple(item for item in self.alerts if item.severity.rank >= severity.rank)
        return self.model_copy(update={"alerts": kept}) if kept else None


def compose(
    fired: Iterable[Alert], resolved: Iterable[Alert], *, message_id: str, now: datetime, sender: str
) -> Message:
    """Return one message for all alerts that are due."""
    items = [_item(alert, None) for alert in fired] + [_item(alert, now) for alert in resolved]
    return Message(id=message_id, sent_at=now, sender=sender, alerts=tuple(items))


def trial_message(*, message_id: str, now: datetime, sender: str) -> Message:
    """Return the message of `qa-queue alerts test`."""
    item = Item(
        status="firing",
        rule="test",
        kind="test",
        subject="",
        severity=Severity.CRITICAL,
        summary="No alert: `qa-queue alerts test` sent this message to test the channel.",
        value=0,
        since=now,
    )
    return Message(id=message_id, sent_at=now, sender=sender, test=True, alerts=(item,))


def _item(alert: Alert, until: datetime | None) -> Item:
    since = alert.firing_since if alert.firing_since is not None else alert.notified_at or 0.0
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
    return f"RESOLVED {head}, after {lasted} at {_moment(item.until)}\n{item.summary}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
