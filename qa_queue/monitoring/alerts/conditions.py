"""Which rules a snapshot breaks, in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from qa_queue.monitoring.alerts.rules import WITHOUT_REDIS, Rule, RuleKind
from qa_queue.monitoring.alerts.snapshot import LostWorker, QueueView, Snapshot

SHOWN = 3  # names in a sentence


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A rule that is broken for a subject (a queue, a host, or the service as a whole: "")."""

    rule: Rule
    subject: str
    value: float
    summary: str

    @property
    def key(self) -> str:
        """What it is known by from one look to the next."""
        return f"{self.rule.name}:{self.subject}"


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What is broken, and what could not be looked at: rules, and queues, by name. Of those nothing is known."""

    broken: tuple[Condition, ...] = ()
    unknown: frozenset[str] = frozenset()
    unseen: frozenset[str] = frozenset()


def find(rules: Iterable[Rule], snapshot: Snapshot) -> Findings:
    """Look at a snapshot by every rule."""
    rules = tuple(rules)
    unknown = frozenset(rule.name for rule in rules if not _known(rule, snapshot))
    broken = tuple(
        found for rule in rules if rule.name not in unknown for found in _LOOKS[rule.kind](rule, snapshot)
    )
    return Findings(broken=broken, unknown=unknown, unseen=frozenset(snapshot.queues_away))


def duration_words(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def _known(rule: Rule, snapshot: Snapshot) -> bool:
    if rule.kind is RuleKind.SUPABASE_AWAY:
        return snapshot.supabase_known
    return snapshot.redis is None or rule.kind in WITHOUT_REDIS


def _queues(rule: Rule, snapshot: Snapshot) -> Iterator[QueueView]:
    return (queue for queue in snapshot.queues if rule.concerns(queue.name))


def _waiting(queue: QueueView) -> str:
    return "1 job waits" if queue.waiting == 1 else f"{queue.waiting} jobs wait"


def _depth(rule: Rule, snapshot: Snapshot) -> Iterator[Condition]:
    for queue in _queues(rule, snapshot):
        if queue.waiting > rule.limit:
            words = f"{_waiting(queue)} on {queue.name}; more than {rule.limit:g} is too many."
            yield Condition(rule=rule, subject=queue.name, value=queue.waiting, summary=words)


def _oldest(rule: Rule, snapshot: Snapshot) -> Iterator[Condition]:
    for queue in _queues(rule, snapshot):
        # A queue that was paused is meant to wait.
        if queue.oldest_s is not None and queue.oldest_s > rule.limit and not queue.paused:
            words = (
                f"The oldest job on {queue.name} has waited {duration_words(queue.oldest_s)}, "
                f"longer than {duration_words(rule.limit)}."
            )
            yield Condition(rule=rule, subject=queue.name, value=queue.oldest_s, summary=words)


def _dead(rule: Rule, snapshot: Snapshot) -> Iterator[Condition]:
    for queue in _queues(rule, snapshot):
        dead = queue.dead.get(rule.window_s, 0)
        if dead > rule.limit:
            jobs = "1 job became a dead letter" if dead == 1 else f"{dead} jobs became dead letters"
            words = f"{jobs} on {queue.name} within {duration_words(rule.window_s)}: `qa-queue dlq list` says why."
            yield Condition(rule=rule, subject=queue.name, value=dead, summary=words)


def _failures(rule: Rule, snapshot: Snapshot) -> Iterator[Condition]:
    for queue in _queues(rule, snapshot):
        ended = queue.outcomes.get(rule.window_s)
        if ended is None or ended.total < rule.least_runs or ended.failed / ended.total <= rule.limit:
            continue
        share = ended.failed / ended.total
        words = (
            f"{share:.0%} of the runs of {queue.name} failed within {duration_words(rule.window_s)} "
            f"({ended.failed} of {ended.total}); more than {rule.limit:.0%} is too many."
        )
        yield Condition(rule=rule, subject=queue.name, value=share, summary=words)


def _lost(rule: Rule, snapshot: Snapshot) -> Iterator[Condition]:
    lost = [one for one in snapshot.lost if any(map(rule.concerns, one.queues)) and _recent(rule, one, snapshot)]
    if lost:
        named = ", ".join(f"{one.name} on {one.host}" for one in lost[:SHOWN])
        more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
        what = "A worker was lost" if len(lost) == 1 else f"{len(lost)} workers were lost"
        words = f"{what}: {named}{more}. The heartbeat stopped without a sign-off."
        yield Condition(rule=rule, subject="", value=len(lost), summary=words)


def _recent(rule: Rule, worker: LostWorker, snapshot: Snapshot) -> bool:
    return snapshot.at - worker.at <= rule.window_s


def _unserved(rule: Rule, snapshot: Snapshot) -> Iterator[Condition]:
    for queue in _queues(rule, snapshot):
        if queue.waiting and not queue.workers and not queue.paused:
            words = f"{_waiting(queue)} on {queue.name}, and no worker serves it: start one."
            yield Condition(rule=rule, subject=queue.name, value=queue.waiting, summary=words)


def _scheduler(rule: Rule, snapshot: Snapshot) -> Iterator[Condition]:
    if (since := snapshot.scheduler_silent_since) is not None:
        words = (
            f"The scheduler has been silent since {since:%Y-%m-%d %H:%M:%S} UTC, so schedules do not run: "
            "start `python -m qa_queue.worker.scheduler`."
        )
        yield Condition(rule=rule, subject="", value=snapshot.at - since.timestamp(), summary=words)


def _redis(rule: Rule, snapshot: Snapshot) -> Iterator[Condition]:
    if snapshot.redis is not None:
        yield Condition(rule=rule, subject="", value=1, summary=snapshot.redis)
    for queue, words in sorted(snapshot.queues_away.items()):
        yield Condition(rule=rule, subject=queue, value=1, summary=words)


def _supabase(rule: Rule, snapshot: Snapshot) -> Iterator[Condition]:
    if snapshot.supabase is not None:
        yield Condition(rule=rule, subject="", value=1, summary=f"Supabase cannot be used: {snapshot.supabase}")


def _disk(rule: Rule, snapshot: Snapshot) -> Iterator[Condition]:
    for host, free in sorted(snapshot.disks.items()):
        if free < rule.limit:
            words = (
                f"Only {free / 1e9:.1f} GB are free under QA_HOME on {host}; less than {rule.limit / 1e9:.1f} GB "
                "is too little: `qa-queue cleanup` deletes what is past its time."
            )
            yield Condition(rule=rule, subject=host, value=free, summary=words)


_LOOKS: dict[RuleKind, Callable[[Rule, Snapshot], Iterator[Condition]]] = {
    RuleKind.QUEUE_DEPTH: _depth,
    RuleKind.OLDEST_WAITING: _oldest,
    RuleKind.DEAD_LETTER: _dead,
    RuleKind.FAILURE_RATE: _failures,
    RuleKind.WORKER_LOST: _lost,
    RuleKind.NO_WORKER: _unserved,
    RuleKind.SCHEDULER_STOPPED: _scheduler,
    RuleKind.REDIS_AWAY: _redis,
    RuleKind.SUPABASE_AWAY: _supabase,
    RuleKind.DISK_LOW: _disk,
}
