"""What becomes of alerts from one look to the next, and what is to be told of it. Pure: the clock is an argument.

An alert is *pending* until its condition has held for as long as its rule says, then it *fires*. What fires is told
together, after `group_wait_s` for others to join, and once more when it is over.

Where alerts stand between two looks: in Redis for every process, and in memory while Redis is away.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError
from redis import Redis

from qa_queue.models import Frozen
from qa_queue.monitoring.alerts.conditions import Condition, Findings
from qa_queue.monitoring.alerts.roster import Roster
from qa_queue.monitoring.alerts.rules import EVENTS, ON_QUEUES, Rule, RuleKind, Severity


class Alert(Frozen):
    """An alert and how far it has come; moments in s since 1970.

    `firing_since` is None while it is pending, and once it is over; then it is kept until its cooldown has passed.
    `told_at` is its last message, `told_value` its value then; `open` is whether that message still stands,
    and `heard` whether there was a channel for it.
    """

    rule: str
    kind: RuleKind
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
class AlertChange:
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
) -> AlertChange:
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
    return AlertChange(alerts=after | {alert.key: alert for alert in fired}, fired=fired, resolved=tuple(resolved))


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
    if alert.kind is RuleKind.REDIS_AWAY and f"{alert.rule}:" in broken:
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


STATE_KEY = "qa:alerts:state"  # hash of alerts by key, as JSON
ROSTER_KEY = "qa:alerts:workers"
WATCHER_KEY = "qa:alerts:watcher"  # who looks and sends; goes away when that process does
CHANNELS_KEY = "qa:alerts:channels"  # hash of what became of the last message, by channel
WATCH_MS = 20_000
KEEP_S = 7 * 24 * 3600

# KEYS: watcher. ARGV: who, ms. Returns 1 when it is ours for that long.
_CLAIM = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
# KEYS: watcher, state, roster. ARGV: who, seconds to keep, roster, keys and alerts. Returns 1 when it was stored:
# who lost the claim meanwhile stores nothing, and tells nothing, for another has looked.
_STORE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if #ARGV > 3 then
  redis.call('HSET', KEYS[2], unpack(ARGV, 4))
  redis.call('EXPIRE', KEYS[2], ARGV[2])
end
redis.call('SET', KEYS[3], ARGV[3], 'EX', ARGV[2])
return 1
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class AlertState:
    """The alerts of the service on one Redis. Every method raises `redis.exceptions.RedisError` when it fails."""

    def __init__(self, connection: Redis, who: str = "") -> None:
        self._connection = connection
        self._who = who

    def claim(self) -> bool:
        """Be the one who looks and sends, for 20 s from now; False while another process is."""
        script = self._connection.register_script(_CLAIM)
        return bool(script(keys=[WATCHER_KEY], args=[self._who, WATCH_MS]))

    def release(self) -> None:
        """Let another process look."""
        self._connection.register_script(_RELEASE)(keys=[WATCHER_KEY], args=[self._who])

    def watched(self) -> bool:
        """Whether anybody looks just now; what `load` gives is old otherwise."""
        return bool(self._connection.exists(WATCHER_KEY))

    def load(self) -> dict[str, Alert]:
        """Every alert, by key; what cannot be read counts as none."""
        found = cast(dict[bytes, bytes], self._connection.hgetall(STATE_KEY))
        alerts = (_alert(text) for text in found.values())
        return {alert.key: alert for alert in alerts if alert is not None}

    def load_roster(self) -> Roster:
        """The workers as they were known at the last look."""
        text = cast(bytes | None, self._connection.get(ROSTER_KEY))
        try:
            return Roster.model_validate_json(text) if text else Roster()
        except ValidationError:
            return Roster()

    def store(self, alerts: Mapping[str, Alert], roster: Roster) -> bool:
        """Keep alerts and roster; False when another process looks by now, and nothing was stored."""
        pairs = [part for key, alert in alerts.items() for part in (key, alert.model_dump_json())]
        arguments: list[str | int] = [self._who, KEEP_S, roster.model_dump_json(), *pairs]
        script = self._connection.register_script(_STORE)
        return bool(script(keys=[WATCHER_KEY, STATE_KEY, ROSTER_KEY], args=arguments))

    def add(self, alerts: Mapping[str, Alert]) -> None:
        """Put in what was decided while Redis was away."""
        if alerts:
            mapping: Any = {key: alert.model_dump_json() for key, alert in alerts.items()}
            self._connection.hset(STATE_KEY, mapping=mapping)

    def note_channel(self, name: str, error: str | None) -> None:
        """Keep how the last message to a channel ended."""
        self._connection.hset(CHANNELS_KEY, name, json.dumps({"at": time.time(), "error": error}))
        self._connection.expire(CHANNELS_KEY, KEEP_S)

    def keep_channels(self, names: Collection[str]) -> None:
        """Forget what became of messages to all other channels, such as those that were taken away."""
        known = cast(list[bytes], self._connection.hkeys(CHANNELS_KEY))
        if gone := [name for name in known if name.decode() not in names]:
            self._connection.hdel(CHANNELS_KEY, *gone)

    def channel_errors(self) -> dict[str, str]:
        """The channels that did not take their last message, and why."""
        found = cast(dict[bytes, bytes], self._connection.hgetall(CHANNELS_KEY))
        notes = {name.decode(): json.loads(text) for name, text in found.items()}
        return {name: note["error"] for name, note in notes.items() if note["error"]}


def firing(alerts: Mapping[str, Alert]) -> tuple[Alert, ...]:
    """Those that fire now, the worst and then the oldest first."""
    found = (alert for alert in alerts.values() if alert.firing)
    return tuple(sorted(found, key=lambda alert: (-alert.severity.rank, alert.firing_since or 0, alert.key)))


def _alert(text: bytes) -> Alert | None:
    try:
        return Alert.model_validate_json(text)
    except ValidationError:
        return None  # of another version
