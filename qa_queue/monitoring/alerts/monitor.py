"""The monitor: evaluates the rules at intervals, stores the alerts, and sends messages about those that are due.

It runs in the scheduler. While Redis is unavailable it continues from memory, so that this is notified as well.
Each channel has a thread that sends its messages, so that one that hangs delays no other.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.cases.texts import mask
from qa_queue.errors import QAError, RedisUnavailableError
from qa_queue.models.values import exponential
from qa_queue.monitoring.alerts.channels import DeliveryError, Transport, transport_of
from qa_queue.monitoring.alerts.conditions import evaluate
from qa_queue.monitoring.alerts.config import AlertChannel, AlertConfig, ConfigSource
from qa_queue.monitoring.alerts.message import Message, compose
from qa_queue.monitoring.alerts.state import Alert, AlertChange, AlertState, advance
from qa_queue.monitoring.snapshot import Snapshot
from qa_queue.monitoring.snapshot_reader import read_snapshot, snapshot_without_redis
from qa_queue.redis import RedisClient
from qa_queue.settings import Settings, read_every_secret
from qa_queue.store.protocol import RunStore

log = logging.getLogger(__name__)

ATTEMPTS = 5
BASE_MS = 1000
MOST_WAITING = 50  # messages of a channel; the oldest is dropped when there are more

ANSWER_TIMEOUT_S = 5.0  # of Redis
Report = Callable[[str, str | None], None]  # takes a channel's name and why it did not accept a message


class AlertMonitor:
    """The monitor of the scheduler `name`. Without a `store` nothing is said of Supabase.

    `run` and `check_store` are called about once a second, each by its own thread. Neither raises while a part is
    unavailable.
    """

    def __init__(self, settings: Settings, *, name: str, store: RunStore | None = None) -> None:
        self._name = name
        self._home = settings.qa_home
        self._config_source = ConfigSource(settings)
        self._config: AlertConfig | None = None
        self._client = RedisClient(settings, socket_timeout=ANSWER_TIMEOUT_S)
        self._connection: Redis | None = None
        self._store = store
        self._store_error: str | None = None
        self._store_checked = False
        self._secrets = read_every_secret()
        self._sender = Sender({})
        self._due = 0.0
        self._alerts: dict[str, Alert] = {}  # as of the last evaluation
        self._offline = False  # True if Redis was unavailable then

    def run(self) -> None:
        """Evaluate the rules if the interval of the configuration has passed."""
        if time.monotonic() < self._due:
            return
        config = self._current_config()
        self._due = time.monotonic() + config.every_s
        try:
            self._connection = self._client.connect()
            self._evaluate(self._connection, config)
        except (RedisError, RedisUnavailableError) as error:
            self._evaluate_offline(error, config)

    def check_store(self) -> None:
        """Check Supabase, for the next evaluation. May take as long as the time-out of its client."""
        if self._store is None:
            return
        try:
            self._store.check()
        except QAError as error:
            self._store_error = str(error)
        else:
            self._store_error = None
        self._store_checked = True

    def close(self, grace_s: float = 0) -> None:
        """Stop sending; wait this long for messages on their way."""
        self._sender.close(grace_s)
        self._client.disconnect()

    def _current_config(self) -> AlertConfig:
        config = self._config_source.current()
        if config is not self._config:
            self._sender.close()
            self._sender = Sender(config.channels, self._record_delivery)
            self._config = config
        return config

    def _evaluate(self, connection: Redis, config: AlertConfig) -> None:
        state = AlertState(connection)
        state.forget_deliveries(except_to=config.channels)
        stored = state.read()
        alerts = stored.alerts | self._alerts if self._offline else stored.alerts
        snapshot, workers = read_snapshot(connection, self._home, config.windows, stored.workers)
        change = self._advance(alerts, snapshot, config)
        self._offline = False
        if state.replace(stored, change.alerts, workers, by=self._name):
            self._notify(change)

    def _evaluate_offline(self, error: Exception, config: AlertConfig) -> None:
        self._offline = True
        self._notify(self._advance(self._alerts, snapshot_without_redis(self._connection, error), config))

    def _advance(self, alerts: dict[str, Alert], snapshot: Snapshot, config: AlertConfig) -> AlertChange:
        snapshot = replace(snapshot, supabase=self._store_error, supabase_known=self._store_checked)
        findings = evaluate(config.rules, snapshot)
        masked = tuple(replace(one, summary=mask(one.summary, self._secrets)) for one in findings.met)
        change = advance(
            alerts,
            replace(findings, met=masked),
            config.rules,
            now=snapshot.at,
            group_wait_s=config.group_wait_s,
            has_channels=bool(config.channels),
        )
        self._alerts = change.alerts
        return change

    def _notify(self, change: AlertChange) -> None:
        for alert in change.fired:
            log.warning("Alert %s: %s", alert.key.rstrip(":"), alert.summary)
        for alert in change.resolved:
            log.info("Alert %s is resolved", alert.key.rstrip(":"))
        resolved = tuple(alert for alert in change.resolved if alert.had_channel)
        if change.fired or resolved:
            now = datetime.now(UTC)
            self._sender.send(compose(change.fired, resolved, message_id=uuid4().hex, now=now, sender=self._name))

    def _record_delivery(self, channel: str, error: str | None) -> None:
        if self._connection is None:
            return
        try:
            AlertState(self._connection).record_delivery(channel, mask(error, self._secrets) if error else None)
        except RedisError as problem:
            log.debug("The result of a message to channel %s is not stored: %s", channel, problem)


class Sender:
    """Sends to these channels from threads that start with the first message; `report` gets each result."""

    def __init__(self, channels: Mapping[str, AlertChannel], report: Report = lambda _name, _error: None) -> None:
        self._channels = [_ChannelThread(name, channel, report) for name, channel in channels.items()]

    def send(self, message: Message) -> None:
        """Hand a message to every channel that takes its severity; never waits, never raises."""
        for one in self._channels:
            if (part := message.at_least(one.channel.severity)) is not None:
                one.put(part)

    def close(self, grace_s: float = 0) -> None:
        """Accept no more messages; wait this long for those on their way."""
        for one in self._channels:
            one.stop()
        for one in self._channels:
            one.join(grace_s)


class _ChannelThread:
    """A channel with its thread and the messages that wait for it."""

    def __init__(self, name: str, channel: AlertChannel, report: Report) -> None:
        self.channel = channel
        self._name = name
        self._report = report
        self._waiting: queue.Queue[Message | None] = queue.Queue()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, message: Message) -> None:
        if self._stopped.is_set():
            return
        if self._waiting.qsize() >= MOST_WAITING:
            self._waiting.get_nowait()
            log.error("Channel %s has %d messages to send: the oldest is dropped", self._name, MOST_WAITING)
        self._waiting.put(message)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"alerts {self._name}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._waiting.put(None)

    def join(self, grace_s: float) -> None:
        if self._thread is not None:
            self._thread.join(grace_s)

    def _work(self) -> None:
        while (message := self._waiting.get()) is not None:
            self._report(self._name, self._deliver(message))

    def _deliver(self, message: Message) -> str | None:
        """Return why the channel did not accept a message; None if it did."""
        try:
            deliver(transport_of(self._name, self.channel), message, wait=self._stopped.wait)
        except QAError as error:
            log.error("Channel %s did not accept an alert: %s", self._name, error)  # noqa: TRY400
            return str(error)
        except Exception as error:
            log.exception("Channel %s failed because of a defect", self._name)
            return type(error).__name__
        return None


def deliver(transport: Transport, message: Message, *, wait: Callable[[float], object]) -> None:
    """Send a message, in up to five attempts with growing pauses; `wait(seconds)` returns true to stop trying.

    Raises:
        DeliveryError: the last attempt failed, or another one cannot succeed.
    """
    for number in range(1, ATTEMPTS + 1):
        try:
            transport.send(message)
        except DeliveryError as error:
            pause_ms = exponential(number, jitter=random.random(), base_ms=BASE_MS)  # noqa: S311 - not a secret
            if error.final or number == ATTEMPTS or wait(pause_ms / 1000):
                raise
        else:
            return
