"""What becomes of alerts from look to look: held, told, repeated, over."""

from __future__ import annotations

from typing import Any

from qa_queue.monitoring.alerts.conditions import Findings
from qa_queue.monitoring.alerts.rules import Rule, RuleKind
from qa_queue.monitoring.alerts.state import Alert, AlertChange, advance
from tests.support.alerting import NOW, broken, rule

WELL = Findings()


class Looks:
    """A row of looks, `at` seconds after the first."""

    def __init__(self, of: Rule, group_wait_s: float = 0) -> None:
        self.rules = {of.name: of}
        self.alerts: dict[str, Alert] = {}
        self.group_wait_s = group_wait_s
        self.channels = True

    def at(self, seconds: float, findings: Findings) -> AlertChange:
        step = advance(
            self.alerts,
            findings,
            self.rules,
            now=NOW + seconds,
            group_wait_s=self.group_wait_s,
            channels=self.channels,
        )
        self.alerts = step.alerts
        return step

    def told(self, seconds: float, findings: Findings) -> tuple[int, int]:
        step = self.at(seconds, findings)
        return len(step.fired), len(step.resolved)


def depth(**overrides: Any) -> Rule:
    return rule(**{"hold_s": 60, "cooldown_s": 600, "repeat_s": 3600, **overrides})


def test_a_condition_fires_once_it_has_held_and_is_over_once_it_is_gone() -> None:
    """One message each."""
    of = depth()
    looks = Looks(of)
    rows = [(0, broken(of)), (59, broken(of)), (60, broken(of)), (65, broken(of)), (70, WELL), (75, WELL)]
    assert [looks.told(at, found) for at, found in rows] == [(0, 0), (0, 0), (1, 0), (0, 0), (0, 1), (0, 0)]


def test_what_goes_away_in_time_was_none() -> None:
    """The time that it must hold begins anew."""
    of = depth()
    looks = Looks(of)
    rows = [(0, broken(of)), (50, WELL), (60, broken(of)), (100, broken(of))]
    assert [looks.told(at, found) for at, found in rows] == [(0, 0)] * 4


def test_one_that_comes_and_goes_is_told_no_more_often_than_its_cooldown() -> None:
    """And only if it still fires by then."""
    of = depth(hold_s=0)
    looks = Looks(of)
    rows = [(0, broken(of)), (5, WELL), (10, broken(of)), (15, WELL), (20, broken(of)), (599, broken(of))]
    assert [looks.told(at, found) for at, found in rows] == [(1, 0), (0, 1), (0, 0), (0, 0), (0, 0), (0, 0)]
    assert looks.told(600, broken(of)) == (1, 0)
    assert looks.told(605, WELL) == (0, 1)


def test_one_that_lasts_is_told_again_now_and_then() -> None:
    """Every `repeat`; 0 is never."""
    of = depth(hold_s=0)
    looks = Looks(of)
    fired = [looks.told(at, broken(of))[0] for at in (0, 3599, 3600, 7199, 7200)]
    assert fired == [1, 0, 1, 0, 1]
    never = depth(hold_s=0, repeat_s=0)
    looks = Looks(never)
    assert [looks.told(at, broken(never)) for at in (0, 90_000)] == [(1, 0), (0, 0)]


def test_another_event_is_told_and_a_longer_state_is_not() -> None:
    """A second dead letter is news after the cooldown; a deeper queue is the same alert."""
    events, states = (
        rule(RuleKind.DEAD_LETTER, cooldown_s=60, repeat_s=0),
        depth(hold_s=0, cooldown_s=60, repeat_s=0),
    )
    for of, expected in ((events, (1, 0)), (states, (0, 0))):
        looks = Looks(of)
        looks.at(0, broken(of, value=1))
        assert looks.told(30, broken(of, value=2)) == (0, 0)
        assert looks.told(60, broken(of, value=2)) == expected


def test_the_first_waits_for_others_and_all_go_together() -> None:
    """One message for what fires within the group's wait."""
    of = depth(hold_s=0)
    looks = Looks(of, group_wait_s=10)
    both = Findings(broken=(*broken(of, "a").broken, *broken(of, "b").broken))
    assert [looks.told(0, broken(of, "a")), looks.told(5, both), looks.told(10, both)] == [(0, 0), (0, 0), (2, 0)]


def test_an_event_that_is_over_before_it_could_be_told_is_told_all_the_same() -> None:
    """A worker that died and was replaced did die; a queue that is short again is no news."""
    lost, short = rule(RuleKind.WORKER_LOST), depth(hold_s=0)
    for of, after in ((lost, [(0, 0), (1, 0), (0, 1)]), (short, [(0, 0), (0, 0), (0, 0)])):
        looks = Looks(of, group_wait_s=10)
        looks.at(0, broken(of))
        assert [looks.told(at, WELL) for at in (5, 10, 15)] == after


def test_what_is_unknown_stays_as_it_was() -> None:
    """While Redis is away, an alert on a queue is neither over nor new."""
    of = depth(hold_s=0)
    looks = Looks(of)
    looks.at(0, broken(of))
    assert looks.told(5, Findings(unknown=frozenset({of.name}))) == (0, 0)
    assert looks.alerts["queue_depth:q"].firing
    assert looks.told(10, WELL) == (0, 1)


def test_an_alert_whose_rule_was_taken_away_goes_without_a_word() -> None:
    """The file was changed while it fired."""
    of = depth(hold_s=0)
    looks = Looks(of)
    looks.at(0, broken(of))
    looks.rules = {}
    step = looks.at(5, WELL)
    assert (step.alerts, step.fired, step.resolved) == ({}, (), ())


def test_what_is_not_seen_of_a_queue_stays_as_it_is() -> None:
    """While the Redis of that queue is away; another queue's alert is over."""
    of = depth(hold_s=0)
    looks = Looks(of)
    both = Findings(broken=(*broken(of, "a").broken, *broken(of, "b").broken))
    assert looks.told(0, both) == (2, 0)
    assert [alert.subject for alert in looks.at(5, Findings(unseen=frozenset({"a"}))).resolved] == ["b"]
    assert looks.told(10, WELL) == (0, 1)


def test_that_a_queues_redis_is_away_is_not_over_because_the_main_one_is_too() -> None:
    """It cannot be asked then."""
    of = rule(RuleKind.REDIS_AWAY, hold_s=0)
    looks = Looks(of)
    assert looks.told(0, broken(of, "cleanup")) == (1, 0)
    assert looks.told(5, broken(of, "")) == (1, 0)
    assert looks.told(10, WELL) == (0, 2)


def test_what_nobody_heard_of_is_told_once_there_is_a_channel() -> None:
    """Once; until then it does not count as told."""
    of = depth(hold_s=0)
    looks = Looks(of)
    looks.channels = False
    assert [looks.told(at, broken(of)) for at in (0, 5)] == [(1, 0), (0, 0)], "for the log"
    assert not looks.alerts["queue_depth:q"].told
    looks.channels = True
    assert [looks.told(at, broken(of)) for at in (10, 15)] == [(1, 0), (0, 0)]
    assert looks.alerts["queue_depth:q"].told
    assert looks.told(20, WELL) == (0, 1)
