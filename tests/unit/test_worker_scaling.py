"""How many workers there should be, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from qa_queue.errors import InputError
from qa_queue.worker.autoscaler import MIB, QueueLoad, ScalingHistory, WorkerBounds, decide

BOUNDS = WorkerBounds(least=1, most=8)


def load(**overrides: Any) -> QueueLoad:
    """Two workers of two slots, all busy, and jobs that wait for a while."""
    values = {"waiting": 10, "oldest": 5.0, "running": 4, "workers": 2, "slots": 2}
    return QueueLoad(**values | overrides)


def history(**overrides: float) -> ScalingHistory:
    return ScalingHistory(**{"since_growth": 100.0, "slack_for": 0.0} | overrides)


@pytest.mark.parametrize(
    ("because", "bounds", "given", "past", "expected"),
    [
        ("jobs wait: at most to the double", BOUNDS, load(), history(), 4),
        ("as many as are wanted, no more", BOUNDS, load(waiting=1), history(), 3),
        ("never over the most", WorkerBounds(least=1, most=3), load(), history(), 3),
        ("a job that came just now is about to be taken", BOUNDS, load(oldest=0.2), history(), 2),
        ("the last ones are still starting", BOUNDS, load(), history(since_growth=2), 2),
        (
            "from none to one at once",
            WorkerBounds(least=0, most=4),
            load(workers=0, running=0, oldest=0),
            history(),
            1,
        ),
        (
            "none is enough for nothing",
            WorkerBounds(least=0, most=4),
            load(workers=0, waiting=0, running=0),
            history(),
            0,
        ),
        ("under the least", WorkerBounds(least=3, most=8), load(workers=1, waiting=0), history(since_growth=0), 3),
        ("over the most, whatever waits", WorkerBounds(least=1, most=2), load(workers=5), history(), 2),
        ("busy enough", BOUNDS, load(waiting=0), history(slack_for=1000), 2),
        ("slack, but not for long", BOUNDS, load(waiting=0, running=1), history(slack_for=59), 2),
        ("slack for long: one goes", BOUNDS, load(waiting=0, running=0, workers=6), history(slack_for=60), 5),
        ("not under the least", BOUNDS, load(waiting=0, running=0, workers=1), history(slack_for=1000), 1),
        ("the machine is full", BOUNDS, load(free=600 * MIB, each=300 * MIB), history(), 2),
        ("it has room for one", BOUNDS, load(free=900 * MIB, each=300 * MIB), history(), 3),
        (
            "the ceiling leaves room for one",
            WorkerBounds(least=1, most=8, memory=1000 * MIB),
            load(free=9000 * MIB, each=300 * MIB),
            history(),
            3,
        ),
        ("a worker that nobody measured is guessed", BOUNDS, load(free=1000 * MIB), history(), 3),
    ],
)
def test_how_many_workers(
    because: str, bounds: WorkerBounds, given: QueueLoad, past: ScalingHistory, expected: int
) -> None:
    """One row, one reason."""
    assert decide(bounds, given, past) == expected, because


def test_a_load_that_swings_does_not_make_the_number_swing() -> None:
    """Bursts every 30 s for ten minutes: it grows once, and never shrinks between them."""
    workers, grown_at, slack_since, seen = 1, -100.0, None, []
    for second in range(600):
        waiting = 8 if second % 30 < 10 else 0
        now = load(waiting=waiting, running=0, workers=workers)
        slack_since = None if now.wanted >= workers else slack_since if slack_since is not None else second
        past = history(
            since_growth=second - grown_at, slack_for=second - slack_since if slack_since is not None else 0
        )
        target = decide(BOUNDS, now, past)
        grown_at = second if target > workers else grown_at
        workers = target
        seen.append(workers)
    assert seen == sorted(seen)
    assert seen[-1] == 4


@pytest.mark.parametrize("text", ["", "3", "4:2", "0:0", "-1:2", "a:b", "1:2:3", "1:"])
def test_what_is_no_range_is_refused(text: str) -> None:
    """With an example of one."""
    with pytest.raises(InputError, match="such as 1:4"):
        WorkerBounds.parse(text)


def test_a_range() -> None:
    """MIN may be 0."""
    assert WorkerBounds.parse("0:4", 7) == WorkerBounds(least=0, most=4, memory=7)
