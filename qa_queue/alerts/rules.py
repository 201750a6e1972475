"""What is watched, and when it is an alert: the kinds of rules with their defaults. Values only."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from qa_queue.models import Frozen

MINUTE = 60.0
HOUR = 3600.0
LONGEST_WINDOW_S = HOUR  # for so long outcomes are kept by the minute


class Severity(StrEnum):
    """How bad it is; a channel can be for the worse ones only."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """A higher one is worse."""
        return list(Severity).index(self)


class Kind(StrEnum):
    """What a rule looks at."""

    QUEUE_DEPTH = "queue_depth"
    OLDEST_WAITING = "oldest_waiting"
    DEAD_LETTER = "dead_letter"
    FAILURE_RATE = "failure_rate"
    WORKER_LOST = "worker_lost"
    NO_WORKER = "no_worker"
    SCHEDULER_STOPPED = "scheduler_stopped"
    REDIS_AWAY = "redis_away"
    SUPABASE_AWAY = "supabase_away"
    DISK_LOW = "disk_low"


UNITS: dict[Kind, Literal["jobs", "seconds", "share", "bytes", ""]] = {
    Kind.QUEUE_DEPTH: "jobs",
    Kind.OLDEST_WAITING: "seconds",
    Kind.DEAD_LETTER: "jobs",
    Kind.FAILURE_RATE: "share",
    Kind.DISK_LOW: "bytes",
}
# Things that happen, and not states: another one is worth another message.
EVENTS = frozenset({Kind.DEAD_LETTER, Kind.WORKER_LOST})
ON_QUEUES = frozenset(
    {
        Kind.QUEUE_DEPTH,
        Kind.OLDEST_WAITING,
        Kind.DEAD_LETTER,
        Kind.FAILURE_RATE,
        Kind.NO_WORKER,
    }
)
WITHOUT_REDIS = frozenset({Kind.REDIS_AWAY, Kind.SUPABASE_AWAY})  # what can be seen while Redis is away


class Rule(Frozen):
    """A rule. Durations are seconds.

    `limit` is in the unit of its kind: jobs, seconds, a share from 0 to 1, or bytes. What breaks it for `hold_s`
    is an alert; it is told again after `repeat_s` while it lasts (0: never), and a new one of the same subject no
    sooner than `cooldown_s` after the last message. `queues` are those that it looks at; empty: all.
    """

    name: str
    kind: Kind
    severity: Severity = Severity.WARNING
    limit: float = Field(default=0, ge=0)
    hold_s: float = Field(default=0, ge=0)
    cooldown_s: float = Field(default=30 * MINUTE, ge=0)
    repeat_s: float = Field(default=12 * HOUR, ge=0)
    window_s: float = Field(default=15 * MINUTE, ge=MINUTE, le=LONGEST_WINDOW_S)
    least_runs: int = Field(default=20, ge=1)
    queues: tuple[str, ...] = ()

    def concerns(self, queue: str) -> bool:
        """Whether it looks at this queue."""
        return not self.queues or queue in self.queues


DEFAULTS: dict[Kind, Rule] = {
    rule.kind: rule
    for rule in (
        Rule(name="queue_depth", kind=Kind.QUEUE_DEPTH, limit=1000, hold_s=5 * MINUTE),
        Rule(name="oldest_waiting", kind=Kind.OLDEST_WAITING, limit=15 * MINUTE, hold_s=MINUTE),
        Rule(name="dead_letter", kind=Kind.DEAD_LETTER, limit=0),
        Rule(name="failure_rate", kind=Kind.FAILURE_RATE, limit=0.5, hold_s=MINUTE),
        Rule(name="worker_lost", kind=Kind.WORKER_LOST, cooldown_s=5 * MINUTE),
        Rule(name="no_worker", kind=Kind.NO_WORKER, severity=Severity.CRITICAL, hold_s=MINUTE),
        Rule(name="scheduler_stopped", kind=Kind.SCHEDULER_STOPPED, severity=Severity.CRITICAL, hold_s=30),
        Rule(name="redis_away", kind=Kind.REDIS_AWAY, severity=Severity.CRITICAL, hold_s=15),
        Rule(name="supabase_away", kind=Kind.SUPABASE_AWAY, severity=Severity.CRITICAL, hold_s=30),
        Rule(name="disk_low", kind=Kind.DISK_LOW, limit=1_000_000_000, hold_s=MINUTE),
    )
}
