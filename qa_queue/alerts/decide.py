"""What becomes of alerts from one look to the next, and what is to be told of it. Pure: the clock is an argument.

An alert is *pending* until its condition has held for as long as its rule says, then it *fires*. What fires is told
together, after `group_wait_s` for others to join, and once more when it is over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from qa_queue.alerts.conditions import Condition, Findings
from qa_queue.alerts.rules import EVENTS, ON_QUEUES, Kind, Rule, Severity
from qa_queue.models import Frozen


class Alert(Frozen):
    """An alert and how far it has come; moments in s since 1970.

    `firing_since` is None while it is pending, and once it is over; then it is kept until its cooldown has passed.
    `told_at` is its last message, `told_value` its value then; `open` is whether that message still stands,
    and `heard` whether there was a channel for it.
    """

    rule: str
    kind: Kind
    subject: str
    severity: Severity
    summary: str
    value: float
    pending_since: float | None = None
    firing_since: float | None = None
    told_at: float | None = None
    told_value: float = 0
    open: bool = False
    heard: bool = True

    @property
    def key(self) -> str:
        """What it is known by."""
        return f"{self.rule}:{self.subject}"

    @property
    def firing(self) -> bool:
        """Whether it fires now."""
        return self.firing_since is not None

    @property
    def told(self) -> bool:
        """Whether somebody was told, and not yet that it is over."""
        return self.open and self.heard


@dataclass(frozen=True, kw_only=True)
class Step:
    """The alerts after a look, by key, and what is to be told now: those that fire, and those that are over."""

    alerts: dict[str, Alert]
    fired: tuple[Alert, ...] = ()
    resolved: tuple[Alert, ...] = ()


def advance(
    alerts: Mapping[str, Alert],
    findings: Findings,
    rules: Mapping[str, Rule],
    *,
    now: float,
    group_wait_s: float,
    channels: bool = True,
) -> Step:
    """The next step of every alert. Those that could not be looked at stay as they are.

    `channels`: there is one. What nobody heard of is told once there is.
    """
    broken = {found.key: found for found in findings.broken}
    after = {key: _hold(alerts.get(key), found, now) for key, found in broken.items()}
    resolved = []
    for key, alert in alerts.items():
        rule = rules.get(alert.rule)
        if rule is None or key in after:
            continue
        if _unseen(alert, findings, broken) or _untold_event(alert):
            after[key] = alert
            continue
        if alert.open:
            resolved.append(alert)
        if ended := _ended(alert, rule, now):
            after[key] = ended
    firing = [alert for alert in after.values() if alert.firing]
    due = [one for one in firing if (channels and not one.heard) or _worth_telling(one, rules[one.rule], now)]
    # The first waits for others; once it has waited, all go together. What is over goes along, or by itself.
    ready = bool(resolved) or any(now - (alert.firing_since or now) >= group_wait_s for alert in due)
    fired = tuple(_told(alert, now, heard=channels) for alert in due) if ready else ()
    return Step(alerts=after | {alert.key: alert for alert in fired}, fired=fired, resolved=tuple(resolved))


def _hold(alert: Alert | None, found: Condition, now: float) -> Alert:
    """The alert of a condition that is there."""
    rule = found.rule
    since = now if alert is None or alert.pending_since is None else alert.pending_since
    fires = alert.firing_since if alert and alert.firing else now if now - since >= rule.hold_s else None
    return Alert(
        rule=rule.name,
        kind=rule.kind,
        subject=found.subject,
        severity=rule.severity,
        summary=found.summary,
        value=found.value,
        pending_since=since,
        firing_since=fires,
        told_at=alert.told_at if alert else None,
        told_value=alert.told_value if alert else 0,
        open=alert.open if alert else False,
        heard=alert.heard if alert else True,
    )


def _unseen(alert: Alert, findings: Findings, broken: Collection[str]) -> bool:
    """Whether nothing is known of it just now. While Redis is away, so is what is known of the queues' own."""
    if alert.kind is Kind.REDIS_AWAY and f"{alert.rule}:" in broken:
        return True
    return alert.rule in findings.unknown or (alert.kind in ON_QUEUES and alert.subject in findings.unseen)


def _untold_event(alert: Alert) -> bool:
    """Whether it is something that happened and nobody has been told, even if it is over by now."""
    return alert.kind in EVENTS and alert.firing and alert.told_at is None


def _ended(alert: Alert, rule: Rule, now: float) -> Alert | None:
    """What is kept of an alert whose condition is gone: when it was told last, for as long as that counts."""
    if alert.told_at is None or now - alert.told_at >= rule.cooldown_s:
        return None
    return alert.model_copy(update={"pending_since": None, "firing_since": None, "open": False})


def _worth_telling(alert: Alert, rule: Rule, now: float) -> bool:
    if alert.told_at is None:
        return True
    silence = now - alert.told_at
    if not alert.open:
        return silence >= rule.cooldown_s
    if rule.kind in EVENTS and alert.value > alert.told_value and silence >= rule.cooldown_s:
        return True
    return bool(rule.repeat_s) and silence >= rule.repeat_s


def _told(alert: Alert, now: float, *, heard: bool) -> Alert:
    return alert.model_copy(update={"told_at": now, "told_value": alert.value, "open": True, "heard": heard})
