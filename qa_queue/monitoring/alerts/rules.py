"""The rules of alerts: a model for each kind, whose fields are the keys of `qa-alerts.yaml`, and the defaults.

Durations are in s and sizes in bytes once they are read; the file has them as `5m` and in MiB.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo

from qa_queue.cases.vocabulary import parse_duration
from qa_queue.errors.validation import did_you_mean, kind_text, nearest
from qa_queue.models import Frozen

MINUTE = 60.0
HOUR = 3600.0
DAY = 24 * HOUR
LONGEST_WINDOW_S = HOUR  # outcomes are counted by the minute for so long
_MIB = 1 << 20


class Severity(StrEnum):
    """The importance of an alert; a channel may take those of at least one severity."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """The position of the severity; a higher one is worse."""
        return list(Severity).index(self)


class RuleKind(StrEnum):
    """The condition that a rule checks."""

    QUEUE_DEPTH = "queue_depth"
    OLDEST_WAITING = "oldest_waiting"
    RUN_STUCK = "run_stuck"
    DEAD_LETTER = "dead_letter"
    FAILURE_RATE = "failure_rate"
    WORKER_LOST = "worker_lost"
    NO_WORKER = "no_worker"
    REDIS_AWAY = "redis_away"
    SUPABASE_AWAY = "supabase_away"
    DISK_LOW = "disk_low"


def read_seconds(value: Any, *, least: float = 0, most: float = DAY) -> float:
    """Return a duration such as `500ms`, `30s`, `5m` or `1h` in s.

    Raises:
        ValueError: it is not a duration, or not from `least` to `most` s.
    """
    found = parse_duration(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{kind_text(value)} is not a duration; write 30s, 5m or 1h")
    if not least <= found / 1000 <= most:
        raise ValueError(f"{kind_text(value)} is out of range: {least:g}s to {most:g}s")
    return found / 1000


def _bytes(mib: Any) -> float:
    if not isinstance(mib, int) or isinstance(mib, bool) or mib < 1:
        raise ValueError(f"expected a whole number of MiB from 1, got {kind_text(mib)}")
    return float(mib * _MIB)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _known_queue(name: Any, info: ValidationInfo) -> Any:
    known = (info.context or {}).get("queues", (name,))
    if name not in known:
        near = nearest(str(name), known)
        hint = f"; did you mean {near!r}?" if near else ""
        raise ValueError(f"{kind_text(name)} is not one of {', '.join(known)}{hint}")
    return name


Seconds = Annotated[float, BeforeValidator(read_seconds)]
Age = Annotated[float, BeforeValidator(partial(read_seconds, most=7 * DAY))]
Window = Annotated[float, BeforeValidator(partial(read_seconds, least=MINUTE, most=LONGEST_WINDOW_S))]
Jobs = Annotated[int, Field(ge=0, strict=True)]
Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Bytes = Annotated[float, BeforeValidator(_bytes)]
Queues = Annotated[tuple[Annotated[str, BeforeValidator(_known_queue)], ...], BeforeValidator(_listed)]


class Rule(Frozen):
    """A rule of any kind. A condition that lasts for `hold_s` is an alert."""

    event: ClassVar[bool] = False  # a condition that happens, unlike a state: another one is worth another message

    kind: RuleKind = Field(
        description="The condition that is checked; by default the one that the rule is named after."
    )
    severity: Severity = Field(default=Severity.WARNING, description="The importance of the alert.")
    hold_s: Seconds = Field(default=0, alias="for", description="How long the condition must last.")
    cooldown_s: Seconds = Field(
        default=30 * MINUTE, alias="cooldown", description="The least time between two first messages."
    )
    repeat_s: Seconds = Field(
        default=12 * HOUR, alias="repeat", description="The time between reminders while it lasts; 0s sends none."
    )


class QueueRule(Rule):
    """A rule on queues."""

    queues: Queues = Field(default=(), description="The queues that are checked; all by default.")

    def concerns(self, queue: str) -> bool:
        """Return whether the rule is about this queue."""
        return not self.queues or queue in self.queues


class QueueDepthRule(QueueRule):
    """More than `limit` jobs wait on a queue."""

    kind: Literal[RuleKind.QUEUE_DEPTH]
    limit: Jobs = Field(alias="above", description="The most jobs that may wait.")


class OldestWaitingRule(QueueRule):
    """The oldest job has waited longer than `limit` s; not on a paused queue."""

    kind: Literal[RuleKind.OLDEST_WAITING]
    limit: Age = Field(alias="above", description="The longest that a job may wait.")


class RunStuckRule(QueueRule):
    """A job runs and has reported no progress for longer than `limit` s."""

    kind: Literal[RuleKind.RUN_STUCK]
    limit: Age = Field(alias="above", description="The longest that a running job may be silent.")


class DeadLetterRule(QueueRule):
    """More than `limit` jobs became dead letters within the window."""

    event = True

    kind: Literal[RuleKind.DEAD_LETTER]
    limit: Jobs = Field(alias="above", description="The most jobs that may become dead letters.")
    window_s: Window = Field(alias="window", description="The time that is looked at.")


class FailureRateRule(QueueRule):
    """A larger share than `limit` of at least `least_runs` runs failed within the window."""

    kind: Literal[RuleKind.FAILURE_RATE]
    limit: Share = Field(alias="above", description="The largest share of runs that may fail.")
    window_s: Window = Field(alias="window", description="The time that is looked at.")
    least_runs: Annotated[int, Field(ge=1, strict=True)] = Field(description="Fewer runs are not judged.")


class WorkerLostRule(QueueRule):
    """A worker died without a sign-off, and no other replaced it within the window."""

    event = True

    kind: Literal[RuleKind.WORKER_LOST]
    window_s: Window = Field(alias="window", description="The time after which the alert ends.")


class NoWorkerRule(QueueRule):
    """Jobs wait on a queue that no worker serves; not on a paused one."""

    kind: Literal[RuleKind.NO_WORKER]


class RedisAwayRule(Rule):
    """Redis, or the Redis of a queue, cannot be used."""

    kind: Literal[RuleKind.REDIS_AWAY]


class SupabaseAwayRule(Rule):
    """Supabase cannot be used."""

    kind: Literal[RuleKind.SUPABASE_AWAY]


class DiskLowRule(Rule):
    """Less than `limit` bytes are free under QA_HOME on the scheduler's host or a worker's."""

    kind: Literal[RuleKind.DISK_LOW]
    limit: Bytes = Field(alias="below_mb", description="The least MiB that must be free.")


AnyRule = Annotated[
    QueueDepthRule
    | OldestWaitingRule
    | RunStuckRule
    | DeadLetterRule
    | FailureRateRule
    | WorkerLostRule
    | NoWorkerRule
    | RedisAwayRule
    | SupabaseAwayRule
    | DiskLowRule,
    Field(discriminator="kind"),
]

# Each kind is a rule of its own name by default; a rule of another name takes what it does not set from here.
DEFAULTS: dict[str, dict[str, Any]] = {
    "queue_depth": {"above": 1000, "for": "5m"},
    "oldest_waiting": {"above": "15m", "for": "1m"},
    "run_stuck": {"above": "15m"},
    "dead_letter": {"above": 0, "window": "15m"},
    "failure_rate": {"above": 0.5, "least_runs": 20, "window": "15m", "for": "1m"},
    "worker_lost": {"window": "15m", "cooldown": "5m"},
    "no_worker": {"severity": "critical", "for": "1m"},
    "redis_away": {"severity": "critical", "for": "15s"},
    "supabase_away": {"severity": "critical", "for": "30s"},
    "disk_low": {"below_mb": 954, "for": "1m"},
}


RETIRED = ("scheduler_stopped",)  # kinds of older versions, whose rules are ignored


def with_defaults(specs: dict[str, Any]) -> dict[str, Any]:
    """Return the default rules as these specs of the file change them; `false` removes one.

    A spec without a kind gets that of its name, and the defaults of its kind.
    """
    rules: dict[str, Any] = {name: {**spec, "kind": name} for name, spec in DEFAULTS.items()}
    for name, spec in specs.items():
        kind = spec.get("kind", name) if isinstance(spec, dict) else name
        if kind in RETIRED:
            continue
        if spec is False and name in rules:
            del rules[name]
        elif isinstance(spec, dict):
            rules[name] = {**DEFAULTS.get(str(kind), {}), **spec, "kind": kind}
        else:
            rules[name] = spec
    return rules


def checked_spec(spec: Any) -> Any:
    """Return the spec of a rule.

    Raises:
        ValueError: it is not a mapping, or its kind is not known.
    """
    if not isinstance(spec, dict):
        raise ValueError(f"expected a mapping, or false to turn a rule off, got {kind_text(spec)}")  # noqa: TRY004
    kinds = [known.value for known in RuleKind]
    if spec["kind"] not in kinds:
        hint = did_you_mean(str(spec["kind"]), kinds) or f"; known are {', '.join(kinds)}"
        raise ValueError(
            f"{spec['kind']!r} is not a kind of rule; a rule with a name of its own needs `kind`{hint}"
        )
    return spec
