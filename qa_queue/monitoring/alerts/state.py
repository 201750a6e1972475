"""Alerts from one evaluation to the next: their transitions, which are pure, and their storage in Redis.

An alert is *pending* until its condition has held for as long as its rule says; then it *fires*. Alerts that fire
are notified together, `group_wait_s` after the first of them, and once more when they are resolved.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import AliasChoices, Field, ValidationError
from redis import Redis
from redis.exceptions import WatchError

from qa_queue.models import Frozen
from qa_queue.monitoring.alerts.conditions import Condition, Findings
from qa_queue.monitoring.alerts.rules import QueueRule, Rule, RuleKind, Severity
from qa_queue.monitoring.snapshot import KnownWorkers


class Alert(Frozen):
    """An alert and its progress; moments are in s since 1970.

    `firing_since` is None while it is pending and once it is resolved, after which it is kept for its cooldown.
    `notified_at` and `notified_value` are of the last message. `open` is set until a message resolves that one, and
    `had_channel` if there was a channel to send it to.
    """

    rule: str
    kind: RuleKind
    subject: str
    severity: Severity
    summary: str
    value: float
    pending_since: float | None = None
    firing_since: float | None = None
    # The second name is that of older versions.
    notified_at: float | None = Field(default=None, validation_alias=AliasChoices("notified_at", "told_at"))
    notified_value: float = Field(default=0, validation_alias=AliasChoices("notified_value", "told_value"))
    open: bool = False
    had_channel: bool = Field(default=True, validation_alias=AliasChoices("had_channel", "heard"))

    @property
    def key(self) -> str:
        """The name by which it is stored."""
        return f"{self.rule}:{self.subject}"

    @property
    def firing(self) -> bool:
        """True while it fires."""
        return self.firing_since is not None

    @property
    def notified(self) -> bool:
        """True from its first message on a channel until it is resolved."""
        return self.open and self.had_channel


@dataclass(frozen=True, kw_only=True)
class AlertChange:
    """The alerts by key after an evaluation, and those to notify now: firing ones and resolved ones."""

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
    has_channels: bool = True,
) -> AlertChange:
    """Return every alert after an evaluation at `now`; those that could not be checked stay as they are.

    Without channels alerts fire for the log alone, and are notified again once there is a channel.
    """
    met = {found.key: found for found in findings.met}
    after = {key: _held(alerts.get(key), found, rules[found.rule], now) for key, found in met.items()}
    resolved = []
    for key, alert in alerts.items():
        rule = rules.get(alert.rule)
        if rule is None or key in after:
            continue
        if _unknown(alert, rule, findings, met) or _unreported_event(alert, rule):
            after[key] = alert
            continue
        if alert.open:
            resolved.append(alert)
        if kept := _cooling_down(alert, rule, now):
            after[key] = kept
    due = [one for one in after.values() if one.firing and _due(one, rules[one.rule], now, has_channels)]
    # The first one waits for others, then all go together. Resolved alerts take those that are due along.
    ready = bool(resolved) or any(now - (alert.firing_since or now) >= group_wait_s for alert in due)
    fired = tuple(_notified(alert, now, had_channel=has_channels) for alert in due) if ready else ()
    return AlertChange(alerts=after | {alert.key: alert for alert in fired}, fired=fired, resolved=tuple(resolved))


def firing(alerts: Mapping[str, Alert]) -> tuple[Alert, ...]:
    """Return the alerts that fire now, by severity, the worst first, then by age."""
    found = (alert for alert in alerts.values() if alert.firing)
    return tuple(sorted(found, key=lambda alert: (-alert.severity.rank, alert.firing_since or 0, alert.key)))


def _held(alert: Alert | None, found: Condition, rule: Rule, now: float) -> Alert:
    """Return the alert of a condition that is met."""
    since = now if alert is None or alert.pending_since is None else alert.pending_since
    held = now if now - since >= rule.hold_s else None
    return Alert(
        rule=found.rule,
        kind=rule.kind,
        subject=found.subject,
        severity=rule.severity,
        summary=found.summary,
        value=found.value,
        pending_since=since,
        firing_since=alert.firing_since if alert and alert.firing else held,
        **alert.model_dump(include=_MESSAGE) if alert else {},
    )


_MESSAGE = {"notified_at", "notified_value", "open", "had_channel"}  # the fields about the last message


def _unknown(alert: Alert, rule: Rule, findings: Findings, met: Collection[str]) -> bool:
    """Return whether the condition could not be checked, such as that of a queue while the main Redis is down."""
    if alert.kind is RuleKind.REDIS_AWAY:
        return f"{alert.rule}:" in met
    on_unknown_queue = isinstance(rule, QueueRule) and alert.subject in findings.unknown_queues
    return alert.rule in findings.unknown_rules or on_unknown_queue


def _unreported_event(alert: Alert, rule: Rule) -> bool:
    """Return whether it is an event that was not notified yet, which is done even if it is over."""
    return rule.event and alert.firing and alert.notified_at is None


def _cooling_down(alert: Alert, rule: Rule, now: float) -> Alert | None:
    """Return the part of a resolved alert that is kept until its cooldown has passed."""
    if alert.notified_at is None or now - alert.notified_at >= rule.cooldown_s:
        return None
    return alert.model_copy(update={"pending_since": None, "firing_since": None, "open": False})


def _due(alert: Alert, rule: Rule, now: float, has_channels: bool) -> bool:
    """Return whether a message about a firing alert is due."""
    if alert.notified_at is None or (has_channels and not alert.had_channel):
        return True
    silence = now - alert.notified_at
    another = rule.event and alert.value > alert.notified_value
    if (not alert.open or another) and silence >= rule.cooldown_s:
        return True
    return alert.open and bool(rule.repeat_s) and silence >= rule.repeat_s


def _notified(alert: Alert, now: float, *, had_channel: bool) -> Alert:
    return alert.model_copy(
        update={"notified_at": now, "notified_value": alert.value, "open": True, "had_channel": had_channel}
    )


STATE_KEY = "qa:alerts:state"  # hash of alerts by key, as JSON
WORKERS_KEY = "qa:alerts:workers"  # the known workers, as JSON
REVISION_KEY = "qa:alerts:revision"  # counts evaluations
MONITOR_KEY = "qa:alerts:watcher"  # name of the scheduler that evaluated the rules last; expires
CHANNELS_KEY = "qa:alerts:channels"  # hash of the result of the last message, by channel, as JSON
ACTIVE_S = 60  # after which alerts without an evaluation count as old
KEEP_S = 7 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class StoredAlerts:
    """Alerts by key and known workers, as of a revision."""

    revision: int
    alerts: dict[str, Alert]
    workers: KnownWorkers


class AlertState:
    """The alerts of the service in Redis. Every method raises `redis.exceptions.RedisError` if Redis fails."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def load(self) -> dict[str, Alert]:
        """Return every alert by key; those that cannot be read are left out."""
        return _alerts(self._connection.hgetall(STATE_KEY))

    def read(self) -> StoredAlerts:
        """Return what the last evaluation stored."""
        pipeline = self._connection.pipeline()
        pipeline.get(REVISION_KEY)
        pipeline.hgetall(STATE_KEY)
        pipeline.get(WORKERS_KEY)
        revision, alerts, workers = pipeline.execute()
        return StoredAlerts(revision=int(revision or 0), alerts=_alerts(alerts), workers=_workers(workers))

    def replace(self, stored: StoredAlerts, alerts: Mapping[str, Alert], workers: KnownWorkers, *, by: str) -> bool:
        """Store the alerts and workers of an evaluation that began with `stored`.

        Return False, and store nothing, if another scheduler stored its evaluation meanwhile. So of several
        schedulers only one notifies a change.
        """
        with self._connection.pipeline() as pipeline:
            pipeline.watch(REVISION_KEY)  # type: ignore[no-untyped-call] # redis-py
            if int(cast(Any, pipeline.get(REVISION_KEY)) or 0) != stored.revision:
                return False
            pipeline.multi()
            pipeline.delete(STATE_KEY)
            if alerts:
                pipeline.hset(STATE_KEY, mapping={key: alert.model_dump_json() for key, alert in alerts.items()})
                pipeline.expire(STATE_KEY, KEEP_S)
            pipeline.set(WORKERS_KEY, workers.model_dump_json(), ex=KEEP_S)
            pipeline.set(REVISION_KEY, stored.revision + 1, ex=KEEP_S)
            pipeline.set(MONITOR_KEY, by, ex=ACTIVE_S)
            try:
                pipeline.execute()
            except WatchError:
                return False
        return True

    def active(self) -> bool:
        """Return whether a scheduler has evaluated the rules within the last minute."""
        return bool(self._connection.exists(MONITOR_KEY))

    def record_delivery(self, channel: str, error: str | None) -> None:
        """Store the result of the last message to a channel: an error, or None if it was accepted."""
        self._connection.hset(CHANNELS_KEY, channel, json.dumps({"at": time.time(), "error": error}))
        self._connection.expire(CHANNELS_KEY, KEEP_S)

    def forget_deliveries(self, *, except_to: Collection[str]) -> None:
        """Delete the results of messages to all other channels, such as removed ones."""
        known = cast(list[bytes], self._connection.hkeys(CHANNELS_KEY))
        if gone := [name for name in known if name.decode() not in except_to]:
            self._connection.hdel(CHANNELS_KEY, *gone)

    def channel_errors(self) -> dict[str, str]:
        """Return by channel why it did not accept its last message; other channels are left out."""
        found = cast(dict[bytes, bytes], self._connection.hgetall(CHANNELS_KEY))
        results = {name.decode(): json.loads(text) for name, text in found.items()}
        return {name: result["error"] for name, result in results.items() if result["error"]}


def _alerts(found: Any) -> dict[str, Alert]:
    alerts = (_alert(text) for text in found.values())
    return {alert.key: alert for alert in alerts if alert is not None}


def _alert(text: bytes) -> Alert | None:
    try:
        return Alert.model_validate_json(text)
    except ValidationError:  # of another version
        return None


def _workers(text: Any) -> KnownWorkers:
    try:
        return KnownWorkers.model_validate_json(text) if text else KnownWorkers()
    except ValidationError:  # of another version
        return KnownWorkers()
