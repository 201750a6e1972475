"""Which rules a snapshot breaks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qa_queue.monitoring.alerts.conditions import duration_words, find
from qa_queue.monitoring.alerts.rules import DEFAULTS, Rule, RuleKind
from qa_queue.monitoring.alerts.snapshot import LostWorker, QueueView, RunCounts, Snapshot
from tests.support.alerting import NOW, rule, snapshot, summaries

FULL = QueueView(name="q", waiting=11, workers=1)
STALE = QueueView(name="q", waiting=1, workers=1, oldest_s=61.0)
SILENT = datetime.fromtimestamp(NOW - 60, UTC)
LOST = LostWorker(name="w1", queues=("q",), host="here", at=NOW - 5)


@pytest.mark.parametrize(
    ("of", "bad", "good"),
    [
        (rule(limit=10), snapshot(FULL), snapshot(QueueView(name="q", waiting=10))),
        (rule(RuleKind.OLDEST_WAITING, limit=60), snapshot(STALE), snapshot(QueueView(name="q", oldest_s=60.0))),
        (rule(RuleKind.DEAD_LETTER), snapshot(QueueView(name="q", dead={900.0: 1})), snapshot(FULL)),
        (
            rule(RuleKind.FAILURE_RATE),
            snapshot(QueueView(name="q", outcomes={900.0: RunCounts(total=20, failed=11)})),
            snapshot(QueueView(name="q", outcomes={900.0: RunCounts(total=20, failed=10)})),
        ),
        (rule(RuleKind.NO_WORKER), snapshot(QueueView(name="q", waiting=1)), snapshot(QueueView(name="q"))),
        (rule(RuleKind.WORKER_LOST), snapshot(lost=(LOST,)), snapshot()),
        (rule(RuleKind.SCHEDULER_STOPPED), snapshot(scheduler_silent_since=SILENT), snapshot()),
        (rule(RuleKind.REDIS_AWAY), snapshot(redis="nothing listens there"), snapshot()),
        (rule(RuleKind.SUPABASE_AWAY), snapshot(supabase="it does not answer"), snapshot()),
        (rule(RuleKind.DISK_LOW), snapshot(disks={"here": 10**9 - 1}), snapshot(disks={"here": 10**9})),
    ],
    ids=lambda value: value.name if isinstance(value, Rule) else "",
)
def test_every_rule_tells_what_is_bad_from_what_is_not(of: Rule, bad: Snapshot, good: Snapshot) -> None:
    """Each names what it found in one sentence or two; at the limit itself nothing is wrong."""
    assert len(summaries(of, bad)) == 1
    assert summaries(of, good) == []


def test_few_runs_say_nothing_about_a_rate() -> None:
    """Two failures of two are no rate of 100 %."""
    view = QueueView(name="q", outcomes={900.0: RunCounts(total=19, failed=19)})
    assert summaries(rule(RuleKind.FAILURE_RATE, least_runs=20), snapshot(view)) == []


def test_a_paused_queue_may_wait() -> None:
    """Who pauses a queue knows that nothing is taken from it; that it grows is still told."""
    view = QueueView(name="q", waiting=5000, oldest_s=90_000.0, paused=True)
    kinds = (RuleKind.OLDEST_WAITING, RuleKind.NO_WORKER, RuleKind.QUEUE_DEPTH)
    found = find([DEFAULTS[kind] for kind in kinds], snapshot(view))
    assert [one.rule.kind for one in found.broken] == [RuleKind.QUEUE_DEPTH]


def test_a_rule_for_one_queue_says_nothing_of_others() -> None:
    """By the names that it lists; an empty list is all."""
    views = (QueueView(name="a", waiting=2), QueueView(name="b", waiting=2))
    only_b = rule(limit=1, queues=("b",))
    assert [one.subject for one in find([only_b], snapshot(*views)).broken] == ["b"]


def test_what_cannot_be_seen_is_unknown_and_not_well() -> None:
    """While Redis is away, nothing is known of queues; before its first answer, nothing of Supabase."""
    found = find(DEFAULTS.values(), snapshot(redis="gone", supabase_known=False))
    assert [one.rule.kind for one in found.broken] == [RuleKind.REDIS_AWAY]
    assert found.unknown == {kind.value for kind in RuleKind} - {"redis_away"}


def test_a_worker_lost_long_ago_is_no_news() -> None:
    """Past the rule's window it is over, replaced or not."""
    old = LOST.model_copy(update={"at": NOW - 901})
    assert summaries(rule(RuleKind.WORKER_LOST), snapshot(lost=(old,))) == []


@pytest.mark.parametrize(("seconds", "words"), [(5, "5 s"), (600, "10 min"), (7200, "2 h"), (12_000, "3 h 20 min")])
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    """In the largest unit that fits."""
    assert duration_words(seconds) == words
