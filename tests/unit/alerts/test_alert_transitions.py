"""Alerts from one evaluation to the next: pending, firing, repeated, resolved."""

from __future__ import annotations

from typing import Any

from qa_queue.monitoring.alerts.conditions import Findings
from qa_queue.monitoring.alerts.rules import AnyRule, RuleKind
from qa_queue.monitoring.alerts.state import Alert, AlertChange, advance
from tests.support.alerting import NOW, met, rule

NOTHING = Findings()


class Evaluations:
    """A series of evaluations, `at` seconds after the first."""

    def __init__(self, of: AnyRule, group_wait_s: float = 0) -> None:
        self.rules = {of.kind.value: of}
        self.alerts: dict[str, Alert] = {}
        self.group_wait_s = group_wait_s
        self.channels = True

    def at(self, seconds: float, findings: Findings) -> AlertChange:
        change = advance(
            self.alerts,
            findings,
            self.rules,
            now=NOW + seconds,
            group_wait_s=self.group_wait_s,
            has_channels=self.channels,
        )
        self.alerts = change.alerts
        return change

    def notified(self, seconds: float, findings: Findings) -> tuple[int, int]:
        change = self.at(seconds, findings)
        return len(change.fired), len(change.resolved)


def depth(**overrides: Any) -> AnyRule:
    return rule(**{"hold_s": 60, "cooldown_s": 600, "repeat_s": 3600, **overrides})


def test_a_condition_fires_once_it_has_held_and_is_resolved_once_it_ends() -> None:
    """One message each."""
    of = depth()
    evaluations = Evaluations(of)
    rows = [(0, met(of)), (59, met(of)), (60, met(of)), (65, met(of)), (70, NOTHING), (75, NOTHING)]
    assert [evaluations.notified(at, found) for at, found in rows] == [
        (0, 0),
        (0, 0),
        (1, 0),
        (0, 0),
        (0, 1),
        (0, 0),
    ]


def test_a_condition_that_ends_in_time_does_not_fire() -> None:
    """The time that it must hold starts again."""
    of = depth()
    evaluations = Evaluations(of)
    rows = [(0, met(of)), (50, NOTHING), (60, met(of)), (100, met(of))]
    assert [evaluations.notified(at, found) for at, found in rows] == [(0, 0)] * 4


def test_one_that_comes_and_goes_is_notified_no_more_often_than_its_cooldown() -> None:
    """And only if it still fires by then."""
    of = depth(hold_s=0)
    evaluations = Evaluations(of)
    rows = [(0, met(of)), (5, NOTHING), (10, met(of)), (15, NOTHING), (20, met(of)), (599, met(of))]
    assert [evaluations.notified(at, found) for at, found in rows] == [
        (1, 0),
        (0, 1),
        (0, 0),
        (0, 0),
        (0, 0),
        (0, 0),
    ]
    assert evaluations.notified(600, met(of)) == (1, 0)
    assert evaluations.notified(605, NOTHING) == (0, 1)


def test_one_that_lasts_is_repeated() -> None:
    """Every `repeat`; 0 is never."""
    of = depth(hold_s=0)
    evaluations = Evaluations(of)
    fired = [evaluations.notified(at, met(of))[0] for at in (0, 3599, 3600, 7199, 7200)]
    assert fired == [1, 0, 1, 0, 1]
    never = depth(hold_s=0, repeat_s=0)
    evaluations = Evaluations(never)
    assert [evaluations.notified(at, met(never)) for at in (0, 90_000)] == [(1, 0), (0, 0)]


def test_another_event_is_notified_and_a_longer_state_is_not() -> None:
    """A second dead letter is notified after the cooldown; a deeper queue is the same alert."""
    events, states = (
        rule(RuleKind.DEAD_LETTER, cooldown_s=60, repeat_s=0),
        depth(hold_s=0, cooldown_s=60, repeat_s=0),
    )
    for of, expected in ((events, (1, 0)), (states, (0, 0))):
        evaluations = Evaluations(of)
        evaluations.at(0, met(of, value=1))
        assert evaluations.notified(30, met(of, value=2)) == (0, 0)
        assert evaluations.notified(60, met(of, value=2)) == expected


def test_the_first_waits_for_others_and_all_go_together() -> None:
    """One message for all that fire within the group's wait."""
    of = depth(hold_s=0)
    evaluations = Evaluations(of, group_wait_s=10)
    both = Findings(met=(*met(of, "a").met, *met(of, "b").met))
    assert [
        evaluations.notified(0, met(of, "a")),
        evaluations.notified(5, both),
        evaluations.notified(10, both),
    ] == [(0, 0), (0, 0), (2, 0)]


def test_an_event_that_ends_before_it_could_be_notified_is_notified_all_the_same() -> None:
    """A worker that died and was replaced is reported; a queue that is short again is not."""
    lost, short = rule(RuleKind.WORKER_LOST), depth(hold_s=0)
    for of, after in ((lost, [(0, 0), (1, 0), (0, 1)]), (short, [(0, 0), (0, 0), (0, 0)])):
        evaluations = Evaluations(of, group_wait_s=10)
        evaluations.at(0, met(of))
        assert [evaluations.notified(at, NOTHING) for at in (5, 10, 15)] == after


def test_an_unknown_alert_stays_as_it_was() -> None:
    """While Redis is unavailable, an alert on a queue is neither resolved nor new."""
    of = depth(hold_s=0)
    evaluations = Evaluations(of)
    evaluations.at(0, met(of))
    assert evaluations.notified(5, Findings(unknown_rules=frozenset({of.kind.value}))) == (0, 0)
    assert evaluations.alerts["queue_depth:q"].firing
    assert evaluations.notified(10, NOTHING) == (0, 1)


def test_an_alert_whose_rule_was_removed_ends_without_a_message() -> None:
    """The file was changed while it fired."""
    of = depth(hold_s=0)
    evaluations = Evaluations(of)
    evaluations.at(0, met(of))
    evaluations.rules = {}
    change = evaluations.at(5, NOTHING)
    assert (change.alerts, change.fired, change.resolved) == ({}, (), ())


def test_an_alert_on_an_unknown_queue_stays_as_it_is() -> None:
    """While the Redis of that queue is unavailable; another queue's alert is resolved."""
    of = depth(hold_s=0)
    evaluations = Evaluations(of)
    both = Findings(met=(*met(of, "a").met, *met(of, "b").met))
    assert evaluations.notified(0, both) == (2, 0)
    assert [alert.subject for alert in evaluations.at(5, Findings(unknown_queues=frozenset({"a"}))).resolved] == [
        "b"
    ]
    assert evaluations.notified(10, NOTHING) == (0, 1)


def test_an_unavailable_redis_of_a_queue_is_not_resolved_because_the_main_one_fails_too() -> None:
    """It cannot be checked then."""
    of = rule(RuleKind.REDIS_AWAY, hold_s=0)
    evaluations = Evaluations(of)
    assert evaluations.notified(0, met(of, "cleanup")) == (1, 0)
    assert evaluations.notified(5, met(of, "")) == (1, 0)
    assert evaluations.notified(10, NOTHING) == (0, 2)


def test_an_alert_without_a_channel_is_notified_once_there_is_one() -> None:
    """Once; until then it does not count as notified."""
    of = depth(hold_s=0)
    evaluations = Evaluations(of)
    evaluations.channels = False
    assert [evaluations.notified(at, met(of)) for at in (0, 5)] == [(1, 0), (0, 0)], "for the log"
    assert not evaluations.alerts["queue_depth:q"].notified
    evaluations.channels = True
    assert [evaluations.notified(at, met(of)) for at in (10, 15)] == [(1, 0), (0, 0)]
    assert evaluations.alerts["queue_depth:q"].notified
    assert evaluations.notified(20, NOTHING) == (0, 1)
