"""Number of worker processes that an autoscaler decides on."""

from __future__ import annotations

from typing import Any

import pytest

from qa_queue.errors import InputError
from qa_queue.worker.autoscaler import MIB, QueueLoad, ScalingHistory, WorkerBounds, decide

BOUNDS = WorkerBounds(least=1, most=8)


def load(**overrides: Any) -> QueueLoad:
    """Two workers with two slots each, all busy, and jobs that have waited for a while."""
    values = {"waiting": 10, "oldest": 5.0, "running": 4, "workers": 2, "slots": 2, "free": 100_000 * MIB}
    return QueueLoad(**values | overrides)


def history(**overrides: float) -> ScalingHistory:
    return ScalingHistory(**{"since_growth": 100.0, "slack_for": 0.0} | overrides)


@pytest.mark.parametrize(
    ("because", "bounds", "given", "past", "expected"),
    [
        ("jobs wait: at most the double", BOUNDS, load(), history(), 4),
        ("no more than there are jobs for", BOUNDS, load(waiting=1), history(), 3),
        ("not above the maximum", WorkerBounds(least=1, most=3), load(), history(), 3),
        ("a job that has just arrived is about to be taken", BOUNDS, load(oldest=0.2), history(), 2),
        ("the workers added last are still starting", BOUNDS, load(), history(since_growth=2), 2),
        (
            "the first worker at once",
            WorkerBounds(least=0, most=4),
            load(workers=0, running=0, oldest=0),
            history(),
            1,
        ),
        (
            "no job, no worker",
            WorkerBounds(least=0, most=4),
            load(workers=0, waiting=0, running=0),
            history(),
            0,
        ),
        (
            "below the minimum",
            WorkerBounds(least=3, most=8),
            load(workers=1, waiting=0),
            history(since_growth=0),
            3,
        ),
        ("above the maximum, although jobs wait", WorkerBounds(least=1, most=2), load(workers=5), history(), 2),
        ("every worker is needed", BOUNDS, load(waiting=0), history(slack_for=1000), 2),
        ("spare capacity, but not for long", BOUNDS, load(waiting=0, running=1), history(slack_for=59), 2),
        (
            "spare capacity for long: one ends",
            BOUNDS,
            load(waiting=0, running=0, workers=6),
            history(slack_for=60),
            5,
        ),
        ("not below the minimum", BOUNDS, load(waiting=0, running=0, workers=1), history(slack_for=1000), 1),
        ("the machine has no memory left", BOUNDS, load(free=600 * MIB, each=300 * MIB), history(), 2),
        ("the machine has memory for one more", BOUNDS, load(free=900 * MIB, each=300 * MIB), history(), 3),
        (
            "the limit leaves memory for one more",
            WorkerBounds(least=1, most=8, memory=1000 * MIB),
            load(free=9000 * MIB, each=300 * MIB),
            history(),
            3,
        ),
        ("the memory of a worker that was not measured is assumed", BOUNDS, load(free=1000 * MIB), history(), 3),
    ],
)
def test_decision(
    because: str, bounds: WorkerBounds, given: QueueLoad, past: ScalingHistory, expected: int
) -> None:
    """Each row has its reason."""
    assert decide(bounds, given, past) == expected, because


def test_a_load_that_comes_in_waves_does_not_make_the_number_oscillate() -> None:
    """Bursts every 30 s for ten minutes: the number grows, and never shrinks between them."""
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
def test_a_text_that_is_not_a_range_is_refused(text: str) -> None:
    """The message has an example."""
    with pytest.raises(InputError, match="such as 1:4"):
        WorkerBounds.parse(text)


def test_a_range() -> None:
    """The minimum may be 0."""
    assert WorkerBounds.parse("0:4", 7) == WorkerBounds(least=0, most=4, memory=7)
