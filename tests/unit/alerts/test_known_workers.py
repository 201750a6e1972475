"""Workers that were lost, from one snapshot to the next."""

from __future__ import annotations

from typing import Any

from qa_queue.monitoring import WorkerState
from qa_queue.monitoring.snapshot import FORGET_S, LONGEST_GAP_S, KnownWorkers
from tests.support.alerting import NOW

NONE = KnownWorkers()


def worker(name: str, **overrides: Any) -> WorkerState:
    return WorkerState(**{"name": name, "queues": ("q",), "host": "here", **overrides})


def gone(name: str) -> WorkerState:
    return worker(name, queues=(), alive=False)


def lost(workers: KnownWorkers) -> list[str]:
    return [one.name for one in workers.lost]


def test_a_worker_that_is_gone_without_a_sign_off_is_lost() -> None:
    """One that signed off is not, nor one that was never alive."""
    seen = NONE.after([worker("a"), worker("b"), gone("never")], NOW)
    after = seen.after([gone("a"), worker("b", alive=False, signed_off=True)], NOW + 5)
    assert lost(after) == ["a"]
    assert after.known == {}


def test_a_worker_that_returns_is_not_lost() -> None:
    """It was only suspended for a while."""
    after = NONE.after([worker("a")], NOW).after([gone("a")], NOW + 5)
    assert lost(after.after([worker("a")], NOW + 10)) == []


def test_a_new_worker_for_the_same_queues_replaces_one() -> None:
    """One each; a worker of another queue replaces none."""
    two_lost = NONE.after([worker("a"), worker("b")], NOW).after([gone("a"), gone("b")], NOW + 5)
    assert lost(two_lost.after([worker("other", queues=("p",))], NOW + 10)) == ["a", "b"]
    assert lost(two_lost.after([worker("c")], NOW + 10)) == ["b"]


def test_a_successor_that_started_before_the_loss_was_noticed_counts() -> None:
    """A supervisor starts it at once, and the heartbeat of the dead one expires half a minute later."""
    both = NONE.after([worker("a")], NOW).after([worker("a"), worker("heir")], NOW + 10)
    later = both.after([worker("a"), worker("heir")], NOW + 25)
    missed = later.after([gone("a"), worker("heir")], NOW + 35)
    assert lost(missed) == ["a"]
    assert lost(missed.after([worker("heir")], NOW + 40)) == []


def test_after_a_gap_no_worker_counts_as_lost() -> None:
    """Redis was unavailable, or the service was stopped: heartbeats and sign-offs of that time are gone."""
    seen = NONE.after([worker("a"), worker("b")], NOW)
    assert lost(seen.after([gone("a"), worker("b")], NOW + LONGEST_GAP_S)) == ["a"]
    after = seen.after([gone("a"), worker("b")], NOW + LONGEST_GAP_S + 1)
    assert (lost(after), set(after.known)) == ([], {"b"})


def test_a_worker_that_was_there_all_along_replaces_none() -> None:
    """The loss is forgotten after an hour."""
    start = NONE.after([worker("old")], NOW - 100).after([worker("a"), worker("old")], NOW - 10)
    missed = start.after([gone("a"), worker("old")], NOW)
    assert lost(missed.after([worker("old")], NOW + 5)) == ["a"]
    assert lost(missed.after([worker("old")], NOW + FORGET_S + 1)) == []


def test_no_worker_of_a_queue_whose_redis_is_unavailable_counts_as_lost() -> None:
    """Others do; and the worker is known again afterwards."""
    start = NONE.after([worker("a", queues=("cleanup",)), worker("b")], NOW)
    after = start.after([gone("a"), gone("b")], NOW + 5, unavailable=["cleanup"])
    assert lost(after) == ["b"]
    assert "a" in after.after([worker("a", queues=("cleanup",))], NOW + 10).known
