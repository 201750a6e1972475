"""The conditions of rules: which of them a snapshot meets, and how a message describes them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qa_queue.monitoring.alerts.rules import (
    AnyRule,
    DeadLetterRule,
    DiskLowRule,
    FailureRateRule,
    NoWorkerRule,
    OldestWaitingRule,
    QueueDepthRule,
    QueueRule,
    RedisAwayRule,
    RuleKind,
    RunStuckRule,
    SupabaseAwayRule,
    WorkerLostRule,
)
from qa_queue.monitoring.snapshot import QueueSnapshot, Snapshot

LISTED = 3  # names in a sentence


@dataclass(frozen=True, kw_only=True)
class Condition:
    """The condition of a rule, met by a subject: a queue, a host, or the service as a whole ("")."""

    rule: str
    subject: str
    value: float
    summary: str

    @property
    def key(self) -> str:
        """The name by which the condition is known from one evaluation to the next."""
        return f"{self.rule}:{self.subject}"


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The conditions that are met, and the names of the rules and the queues that could not be checked."""

    met: tuple[Condition, ...] = ()
    unknown_rules: frozenset[str] = frozenset()
    unknown_queues: frozenset[str] = frozenset()


_Found = tuple[str, float, str]  # subject, value, summary


def evaluate(rules: Mapping[str, AnyRule], snapshot: Snapshot) -> Findings:
    """Check every rule against a snapshot."""
    unknown = frozenset(name for name, rule in rules.items() if not _known(rule, snapshot))
    met = tuple(
        Condition(rule=name, subject=subject, value=value, summary=summary)
        for name, rule in rules.items()
        if name not in unknown
        for subject, value, summary in _CHECKS[rule.kind](rule, snapshot)
    )
    queues = frozenset(snapshot.queues_unavailable)
    return Findings(met=met, unknown_rules=unknown, unknown_queues=queues)


def duration_words(seconds: float) -> str:
    """Return a duration as `45 s`, `12 min` or `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def _known(rule: AnyRule, snapshot: Snapshot) -> bool:
    if isinstance(rule, SupabaseAwayRule):
        return snapshot.supabase_known
    return snapshot.redis is None or isinstance(rule, RedisAwayRule)


def _queues(rule: QueueRule, snapshot: Snapshot) -> Iterator[QueueSnapshot]:
    return (queue for queue in snapshot.queues if rule.concerns(queue.name))


def _waiting(queue: QueueSnapshot) -> str:
    return "1 job waits" if queue.waiting == 1 else f"{queue.waiting} jobs wait"


def _depth(rule: QueueDepthRule, snapshot: Snapshot) -> Iterator[_Found]:
    for queue in _queues(rule, snapshot):
        if queue.waiting > rule.limit:
            yield queue.name, queue.waiting, f"{_waiting(queue)} on {queue.name}; the limit is {rule.limit:g}."


def _oldest(rule: OldestWaitingRule, snapshot: Snapshot) -> Iterator[_Found]:
    for queue in _queues(rule, snapshot):
        # Jobs of a paused queue are meant to wait.
        if queue.oldest_s is not None and queue.oldest_s > rule.limit and not queue.paused:
            age, limit = duration_words(queue.oldest_s), duration_words(rule.limit)
            yield (
                queue.name,
                queue.oldest_s,
                f"The oldest job on {queue.name} has waited {age}, longer than {limit}.",
            )


def _stuck(rule: RunStuckRule, snapshot: Snapshot) -> Iterator[_Found]:
    for queue in _queues(rule, snapshot):
        stuck = sorted(job_id for job_id, silent_s in queue.silent_s.items() if silent_s > rule.limit)
        if stuck:
            longest = max(queue.silent_s[job_id] for job_id in stuck)
            more = f" and {len(stuck) - LISTED} more" if len(stuck) > LISTED else ""
            summary = (
                f"No progress for {duration_words(longest)} on {queue.name}: {', '.join(stuck[:LISTED])}{more}. "
                "SIGUSR1 to the worker's child process logs what it is doing."
            )
            yield queue.name, longest, summary


def _dead(rule: DeadLetterRule, snapshot: Snapshot) -> Iterator[_Found]:
    for queue in _queues(rule, snapshot):
        dead = queue.dead.get(rule.window_s, 0)
        if dead > rule.limit:
            jobs = "1 job became a dead letter" if dead == 1 else f"{dead} jobs became dead letters"
            window = duration_words(rule.window_s)
            yield queue.name, dead, f"{jobs} on {queue.name} within {window}: `qa-queue dlq list` says why."


def _failures(rule: FailureRateRule, snapshot: Snapshot) -> Iterator[_Found]:
    for queue in _queues(rule, snapshot):
        ended = queue.outcomes.get(rule.window_s)
        if ended is None or ended.total < rule.least_runs or ended.failed / ended.total <= rule.limit:
            continue
        share = ended.failed / ended.total
        summary = (
            f"{share:.0%} of the runs of {queue.name} failed within {duration_words(rule.window_s)} "
            f"({ended.failed} of {ended.total}); the limit is {rule.limit:.0%}."
        )
        yield queue.name, share, summary


def _lost(rule: WorkerLostRule, snapshot: Snapshot) -> Iterator[_Found]:
    lost = [
        one
        for one in snapshot.lost
        if any(map(rule.concerns, one.queues)) and snapshot.at - one.at <= rule.window_s
    ]
    if lost:
        named = ", ".join(f"{one.name} on {one.host}" for one in lost[:LISTED])
        more = f" and {len(lost) - LISTED} more" if len(lost) > LISTED else ""
        workers = "A worker was lost" if len(lost) == 1 else f"{len(lost)} workers were lost"
        yield "", len(lost), f"{workers}: {named}{more}. The heartbeat stopped without a sign-off."


def _unserved(rule: NoWorkerRule, snapshot: Snapshot) -> Iterator[_Found]:
    for queue in _queues(rule, snapshot):
        if queue.waiting and not queue.workers and not queue.paused:
            summary = f"{_waiting(queue)} on {queue.name}, and no worker serves it: start one."
            yield queue.name, queue.waiting, summary


def _redis(_rule: RedisAwayRule, snapshot: Snapshot) -> Iterator[_Found]:
    if snapshot.redis is not None:
        yield "", 1, snapshot.redis
    for queue, problem in sorted(snapshot.queues_unavailable.items()):
        yield queue, 1, problem


def _supabase(_rule: SupabaseAwayRule, snapshot: Snapshot) -> Iterator[_Found]:
    if snapshot.supabase is not None:
        yield "", 1, f"Supabase cannot be used: {snapshot.supabase}"


def _disks(rule: DiskLowRule, snapshot: Snapshot) -> Iterator[_Found]:
    for host, free in sorted(snapshot.disks.items()):
        if free < rule.limit:
            summary = (
                f"{free / 1e9:.1f} GB are free under QA_HOME on {host}; the limit is {rule.limit / 1e9:.1f} GB. "
                "`qa-queue cleanup` deletes old runs and their evidence."
            )
            yield host, free, summary


_CHECKS: dict[RuleKind, Callable[[Any, Snapshot], Iterator[_Found]]] = {
    RuleKind.QUEUE_DEPTH: _depth,
    RuleKind.OLDEST_WAITING: _oldest,
    RuleKind.RUN_STUCK: _stuck,
    RuleKind.DEAD_LETTER: _dead,
    RuleKind.FAILURE_RATE: _failures,
    RuleKind.WORKER_LOST: _lost,
    RuleKind.NO_WORKER: _unserved,
    RuleKind.REDIS_AWAY: _redis,
    RuleKind.SUPABASE_AWAY: _supabase,
    RuleKind.DISK_LOW: _disks,
}
