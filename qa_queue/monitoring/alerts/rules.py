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


class RuleKind(StrEnum):
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


UNITS: dict[RuleKind, Literal["jobs", "seconds", "share", "bytes", ""]] = {
    RuleKind.QUEUE_DEPTH: "jobs",
    RuleKind.OLDEST_WAITING: "seconds",
    RuleKind.DEAD_LETTER: "jobs",
    RuleKind.FAILURE_RATE: "share",
    RuleKind.DISK_LOW: "bytes",
}
# Things that happen, and not states: another one is worth another message.
EVENTS = frozenset({RuleKind.DEAD_LETTER, RuleKind.WORKER_LOST})
ON_QUEUES = frozenset(
    {
        RuleKind.QUEUE_DEPTH,
        RuleKind.OLDEST_WAITING,
        RuleKind.DEAD_LETTER,
        RuleKind.FAILURE_RATE,
        RuleKind.NO_WORKER,
    }
)
WITHOUT_REDIS = frozenset({RuleKind.REDIS_AWAY, RuleKind.SUPABASE_AWAY})  # what can be seen while Redis is away


class Rule(Frozen):
    """A rule. Durations are seconds.

    `limit` is in the unit of its kind: jobs, seconds, a share from 0 to 1, or bytes. What breaks it for `hold_s`
    is an alert; it is told again after `repeat_s` while it lasts (0: never), and a new one of the same subject no
    sooner than `cooldown_s` after the last message. `queues` are those that it looks at; empty: all.
    """

    name: str
    kind: RuleKind
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


DEFAULTS: dict[RuleKind, Rule] = {
    rule.kind: rule
    for rule in (
        Rule(name="queue_depth", kind=RuleKind.QUEUE_DEPTH, limit=1000, hold_s=5 * MINUTE),
        Rule(name="oldest_waiting", kind=RuleKind.OLDEST_WAITING, limit=15 * MINUTE, hold_s=MINUTE),
        Rule(name="dead_letter", kind=RuleKind.DEAD_LETTER, limit=0),
        Rule(name="failure_rate", kind=RuleKind.FAILURE_RATE, limit=0.5, hold_s=MINUTE),
        Rule(name="worker_lost", kind=RuleKind.WORKER_LOST, cooldown_s=5 * MINUTE),
        Rule(name="no_worker", kind=RuleKind.NO_WORKER, severity=Severity.CRITICAL, hold_s=MINUTE),
        Rule(name="scheduler_stopped", kind=RuleKind.SCHEDULER_STOPPED, severity=Severity.CRITICAL, hold_s=30),
        Rule(name="redis_away", kind=RuleKind.REDIS_AWAY, severity=Severity.CRITICAL, hold_s=15),
        Rule(name="supabase_away", kind=RuleKind.SUPABASE_AWAY, severity=Severity.CRITICAL, hold_s=30),
        Rule(name="disk_low", kind=RuleKind.DISK_LOW, limit=1_000_000_000, hold_s=MINUTE),
    )
}
