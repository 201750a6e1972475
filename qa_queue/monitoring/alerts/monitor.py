"""The watch: looks at the service again and again, decides, keeps what was decided, and has it told.

The scheduler watches. Should it be the one that is dead, a deputy does: the service's pages and the workers'
parents look on, too, and one of them takes over when the scheduler's heartbeat has stopped, until it is back. A
claim in Redis sees to it that one process looks and tells. While Redis is away the one that held the claim goes on
from memory; if it died along with Redis, a deputy on its machine does, which knows by the lock of a file.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.cases.texts import mask
from qa_queue.errors import RedisUnavailableError
from qa_queue.monitoring import read_scheduler
from qa_queue.monitoring.alerts.conditions import find
from qa_queue.monitoring.alerts.config import AlertConfig
from qa_queue.monitoring.alerts.message import compose
from qa_queue.monitoring.alerts.neighbours import LocalLock
from qa_queue.monitoring.alerts.probe import Answer, Probe
from qa_queue.monitoring.alerts.sender import Sender
from qa_queue.monitoring.alerts.snapshot import Snapshot
from qa_queue.monitoring.alerts.snapshot_reader import read_snapshot, without_redis
from qa_queue.monitoring.alerts.source import ConfigSource
from qa_queue.monitoring.alerts.state import Alert, AlertChange, AlertState, advance
from qa_queue.redis import RedisClient
from qa_queue.settings import Settings, read_every_secret

log = logging.getLogger(__name__)

PATIENCE_S = 5.0  # for an answer of Redis: a look must not outlive its claim


class AlertMonitor:
    """One process's watch; `look` is called about once a second, by one thread, and never raises for a part away.

    A `deputy` watches only while there is no scheduler, and only if there is a channel to tell. `check_store`
    raises a `QAError` when Supabase is away; None where it is not set up, so that nothing is said of it.
    """

    def __init__(
        self, settings: Settings, *, name: str, deputy: bool, check_store: Callable[[], None] | None = None
    ) -> None:
        self._name = name
        self._deputy = deputy
        self._home = settings.qa_home
        self._source = ConfigSource(settings)
        self._client = RedisClient(settings, socket_timeout=PATIENCE_S)
        self._connection: Redis | None = None
        self._probe = Probe(check_store) if check_store else None
        self._lock = LocalLock(settings.qa_home)
        self._secrets = read_every_secret()
        self._config: AlertConfig | None = None
        self._kept: AlertConfig | None = None  # of which the notes on channels were kept, and no others
        self._sender = Sender(())
        self._due = 0.0
        self._alerts: dict[str, Alert] = {}  # as they stood at the last look
        self._alone = False  # whether they were decided while Redis was away
        self._held = False  # whether the claim was ours at the last look at Redis
        self._outranked = deputy  # whether another process was to watch then
        self._neighbour = False  # whether that one was on this machine

    def look(self) -> None:
        """Look if it is time to."""
        if time.monotonic() < self._due:
            return
        config = self._configured()
        self._due = time.monotonic() + config.every_s
        try:
            self._connection = self._client.connect()
            self._look_together(self._connection, config)
        except (RedisError, RedisUnavailableError) as error:
            if self._may_go_on():
                self._look_alone(error, config)

    def close(self, grace_s: float = 0) -> None:
        """Let another process watch; wait this long for messages on their way."""
        try:
            self._stand_down()
        except RedisError as error:
            log.debug("The watch could not be handed over: %s", error)
        self._sender.close(grace_s)
        self._client.disconnect()

    def _configured(self) -> AlertConfig:
        config = self._source.current()
        if config is not self._config:
            self._sender.close()
            self._sender = Sender(config.channels, self._note_channel)
            self._config = config
        return config

    def _look_together(self, connection: Redis, config: AlertConfig) -> None:
        """A look while Redis is there, if it is ours to take."""
        state = AlertState(connection, self._name)
        if self._alone:
            state.add(self._alerts)
            self._alone = False
        if self._deputy and (not config.channels or read_scheduler(connection).alive):
            self._stand_down()
            self._outranked, self._neighbour = True, self._lock.held_elsewhere()
            return
        self._held = self._lock.acquire() and state.claim()
        self._outranked = not self._held
        if not self._held:
            return
        if self._kept is not config:
            state.keep_channels([channel.name for channel in config.channels])
            self._kept = config
        snapshot, roster = read_snapshot(
            connection, self._home, config.windows(), state.load_roster(), self._supabase()
        )
        step = self._decide(state.load(), snapshot, config)
        if state.store(step.alerts, roster):
            self._tell(step)

    def _look_alone(self, error: Exception, config: AlertConfig) -> None:
        """A look while Redis is away, from memory."""
        snapshot = without_redis(self._connection, error, self._supabase())
        self._alone = True
        self._tell(self._decide(self._alerts, snapshot, config))

    def _may_go_on(self) -> bool:
        """Whether it is ours to speak while Redis cannot say so."""
        entitled = self._held or self._alone or not self._outranked or self._neighbour
        return entitled and self._lock.acquire()

    def _decide(self, alerts: dict[str, Alert], snapshot: Snapshot, config: AlertConfig) -> AlertChange:
        findings = find(config.rules.values(), snapshot)
        masked = tuple(replace(one, summary=mask(one.summary, self._secrets)) for one in findings.broken)
        findings = replace(findings, broken=masked)
        step = advance(
            alerts,
            findings,
            config.rules,
            now=snapshot.at,
            group_wait_s=config.group_wait_s,
            channels=bool(config.channels),
        )
        self._alerts = step.alerts
        return step

    def _tell(self, step: AlertChange) -> None:
        for alert in step.fired:
            log.warning("Alert %s: %s", alert.key.rstrip(":"), alert.summary)
        for alert in step.resolved:
            log.info("The alert %s is over", alert.key.rstrip(":"))
        resolved = tuple(alert for alert in step.resolved if alert.heard)
        if step.fired or resolved:
            now = datetime.now(UTC)
            message = compose(step.fired, resolved, message_id=uuid4().hex, now=now, sender=self._name)
            self._sender.send(message)

    def _supabase(self) -> Answer:
        return self._probe.look() if self._probe else Answer(known=False)

    def _stand_down(self) -> None:
        if self._held and self._connection is not None:
            AlertState(self._connection, self._name).release()
        self._held = False
        self._lock.release()

    def _note_channel(self, name: str, error: str | None) -> None:
        if self._connection is None:
            return
        try:
            AlertState(self._connection).note_channel(name, mask(error, self._secrets) if error else None)
        except RedisError as problem:
            log.debug("That channel %s was used is not kept: %s", name, problem)
