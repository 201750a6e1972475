"""The conditions of rules that a snapshot meets."""

from __future__ import annotations

import pytest

from qa_queue.monitoring.alerts.conditions import duration_words
from qa_queue.monitoring.alerts.rules import AnyRule, Rule, RuleKind
from qa_queue.monitoring.snapshot import LostWorker, QueueSnapshot, RunCounts, Snapshot
from tests.support.alerting import DEFAULT_RULES, NOW, found, rule, snapshot, summaries

FULL = QueueSnapshot(name="q", waiting=11, workers=1)
STALE = QueueSnapshot(name="q", waiting=1, workers=1, oldest_s=61.0)
LOST = LostWorker(name="w1", queues=("q",), host="here", at=NOW - 5)
CASES = [
    (rule(limit=10), snapshot(FULL), snapshot(QueueSnapshot(name="q", waiting=10))),
    (rule(RuleKind.OLDEST_WAITING, limit=60), snapshot(STALE), snapshot(QueueSnapshot(name="q", oldest_s=60.0))),
    (
        rule(RuleKind.RUN_STUCK, limit=60),
        snapshot(QueueSnapshot(name="q", silent_s={"a": 61.0, "b": 1.0})),
        snapshot(QueueSnapshot(name="q", silent_s={"a": 60.0})),
    ),
    (rule(RuleKind.DEAD_LETTER), snapshot(QueueSnapshot(name="q", dead={900.0: 1})), snapshot(FULL)),
    (
        rule(RuleKind.FAILURE_RATE),
        snapshot(QueueSnapshot(name="q", outcomes={900.0: RunCounts(total=20, failed=11)})),
        snapshot(QueueSnapshot(name="q", outcomes={900.0: RunCounts(total=20, failed=10)})),
    ),
    (rule(RuleKind.NO_WORKER), snapshot(QueueSnapshot(name="q", waiting=1)), snapshot(QueueSnapshot(name="q"))),
    (rule(RuleKind.WORKER_LOST), snapshot(lost=(LOST,)), snapshot()),
    (rule(RuleKind.REDIS_AWAY), snapshot(redis="nothing listens there"), snapshot()),
    (rule(RuleKind.SUPABASE_AWAY), snapshot(supabase="it does not answer"), snapshot()),
    (rule(RuleKind.DISK_LOW, limit=1e9), snapshot(disks={"here": 10**9 - 1}), snapshot(disks={"here": 10**9})),
]


@pytest.mark.parametrize(
    ("of", "bad", "good"), CASES, ids=lambda value: value.kind if isinstance(value, Rule) else ""
)
def test_every_rule_tells_bad_from_good(of: AnyRule, bad: Snapshot, good: Snapshot) -> None:
    """Each describes its finding in one summary; at the limit itself nothing is wrong."""
    assert len(summaries(of, bad)) == 1
    assert summaries(of, good) == []


def test_there_is_a_case_forevery_kind() -> None:
    """A new kind needs one above."""
    assert {of.kind for of, _, _ in CASES} == set(RuleKind)


def test_few_runs_have_no_failure_rate() -> None:
    """Two failures of two are not a rate of 100 %."""
    queue = QueueSnapshot(name="q", outcomes={900.0: RunCounts(total=19, failed=19)})
    assert summaries(rule(RuleKind.FAILURE_RATE, least_runs=20), snapshot(queue)) == []


def test_jobs_of_a_paused_queue_may_wait() -> None:
    """No one serves a paused queue; that it grows is still reported."""
    queue = QueueSnapshot(name="q", waiting=5000, oldest_s=90_000.0, paused=True)
    kinds = (RuleKind.OLDEST_WAITING, RuleKind.NO_WORKER, RuleKind.QUEUE_DEPTH)
    findings = found(*(rule(kind) for kind in kinds), on=snapshot(queue))
    assert [one.rule for one in findings.met] == ["queue_depth"]


def test_a_rule_for_one_queue_ignores_others() -> None:
    """By the names that it lists; an empty list means all."""
    queues = (QueueSnapshot(name="a", waiting=2), QueueSnapshot(name="b", waiting=2))
    only_b = rule(limit=1, queues=("b",))
    assert [one.subject for one in found(only_b, on=snapshot(*queues)).met] == ["b"]


def test_a_condition_that_cannot_be_checked_is_unknown() -> None:
    """While Redis is unavailable, queues are unknown; before the first check, Supabase is."""
    findings = found(*DEFAULT_RULES.values(), on=snapshot(redis="gone", supabase_known=False))
    assert [one.rule for one in findings.met] == ["redis_away"]
    assert findings.unknown_rules == {kind.value for kind in RuleKind} - {"redis_away"}


def test_a_worker_lost_long_ago_is_not_reported() -> None:
    """After the rule's window, replaced or not."""
    old = LOST.model_copy(update={"at": NOW - 901})
    assert summaries(rule(RuleKind.WORKER_LOST), snapshot(lost=(old,))) == []


@pytest.mark.parametrize(("seconds", "words"), [(5, "5 s"), (600, "10 min"), (7200, "2 h"), (12_000, "3 h 20 min")])
def test_durations_are_written_in_the_largest_unit_that_fits(seconds: float, words: str) -> None:
    """Two units from hours on."""
    assert duration_words(seconds) == words
