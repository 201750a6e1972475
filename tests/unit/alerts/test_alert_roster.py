"""Who of the workers was lost."""

from __future__ import annotations

from typing import Any

from qa_queue.monitoring import WorkerState
from qa_queue.monitoring.alerts.roster import FORGOTTEN_S, GAP_S, Roster, call
from tests.support.alerting import NOW


def worker(name: str, **overrides: Any) -> WorkerState:
    return WorkerState(**{"name": name, "queues": ("q",), "host": "here", **overrides})


def gone(name: str) -> WorkerState:
    return worker(name, queues=(), alive=False)


def lost(roster: Roster) -> list[str]:
    return [one.name for one in roster.lost]


def test_who_is_gone_without_a_sign_off_is_lost() -> None:
    """Who signed off is not, nor who was never seen."""
    seen = call(Roster(), [worker("a"), worker("b"), gone("never")], NOW)
    after = call(seen, [gone("a"), worker("b", alive=False, signed_off=True)], NOW + 5)
    assert lost(after) == ["a"]
    assert after.known == {}


def test_one_that_comes_back_was_not_lost() -> None:
    """It had only been stopped for a while."""
    after = call(call(Roster(), [worker("a")], NOW), [gone("a")], NOW + 5)
    assert lost(call(after, [worker("a")], NOW + 10)) == []


def test_a_newcomer_for_the_same_queues_replaces_one() -> None:
    """One each; another queue's worker replaces nobody."""
    start = call(Roster(), [worker("a"), worker("b")], NOW)
    two_lost = call(start, [gone("a"), gone("b")], NOW + 5)
    assert lost(call(two_lost, [worker("other", queues=("p",))], NOW + 10)) == ["a", "b"]
    assert lost(call(two_lost, [worker("c")], NOW + 10)) == ["b"]


def test_a_successor_that_came_before_the_loss_showed_counts() -> None:
    """A supervisor starts it at once, and the dead one's heartbeat runs out half a minute later."""
    start = call(Roster(), [worker("a")], NOW)
    both = call(start, [worker("a"), worker("heir")], NOW + 10)
    later = call(both, [worker("a"), worker("heir")], NOW + 25)
    missed = call(later, [gone("a"), worker("heir")], NOW + 35)
    assert lost(missed) == ["a"]
    assert lost(call(missed, [worker("heir")], NOW + 40)) == []


def test_after_a_gap_nobody_is_missed() -> None:
    """Redis was away, or the service was stopped: heartbeats and sign-offs of that time are gone."""
    seen = call(Roster(), [worker("a"), worker("b")], NOW)
    assert lost(call(seen, [gone("a"), worker("b")], NOW + GAP_S)) == ["a"]
    after = call(seen, [gone("a"), worker("b")], NOW + GAP_S + 1)
    assert (lost(after), set(after.known)) == ([], {"b"})


def test_an_old_colleague_replaces_nobody() -> None:
    """It was there all along; the loss is forgotten after an hour."""
    start = call(call(Roster(), [worker("old")], NOW - 100), [worker("a"), worker("old")], NOW - 10)
    missed = call(start, [gone("a"), worker("old")], NOW)
    assert lost(call(missed, [worker("old")], NOW + 5)) == ["a"]
    assert lost(call(missed, [worker("old")], NOW + FORGOTTEN_S + 1)) == []


def test_nobody_is_missed_of_a_queue_whose_redis_cannot_be_asked() -> None:
    """Others are; and who is there afterwards is known again."""
    start = call(Roster(), [worker("a", queues=("cleanup",)), worker("b")], NOW)
    after = call(start, [gone("a"), gone("b")], NOW + 5, ["cleanup"])
    assert lost(after) == ["b"]
    assert "a" in call(after, [worker("a", queues=("cleanup",))], NOW + 10).known
