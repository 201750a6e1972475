"""Where alerts stand between two looks: in Redis for every process, and in memory while Redis is away."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from typing import Any, cast

from pydantic import ValidationError
from redis import Redis

from qa_queue.alerts.decide import Alert
from qa_queue.alerts.roster import Roster

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
