"""The checker finds nothing in a correct history, and each of the planted bugs in a history that has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.checker import RULES, check
from tests.chaos.events import (
    ACKNOWLEDGED,
    ASK,
    BEGIN,
    CANCEL,
    EFFECT,
    EFFECT_END,
    END,
    ENDED,
    FAULT,
    JOB,
    REJECTED,
    ROW,
    WAITING,
    Event,
    EventLog,
)

STEPS = 2
Log = list[Event]


def event(at: float, kind: str, run: str = "", token: int = 0, **fields: Any) -> Event:
    return Event(at, kind, run, token, fields)


def attempt(at: float, run: str, token: int = 1, steps: int = STEPS) -> Log:
    """An attempt that begins at a time and takes a second for each step."""
    log = [event(at, ASK, run, token), event(at, BEGIN, run, token)]
    for step in range(1, steps + 1):
        log += [event(at + step, EFFECT, run, token, step=step)]
        log += [event(at + step + 0.9, EFFECT_END, run, token, step=step)]
    return [*log, event(at + steps + 1, END, run, token)]


def outcome(at: float, run: str, status: str = "completed", token: int = 1, **row: Any) -> Log:
    """The end of a run as an observer sees it, and its row and job when everything is over."""
    job = {"completed": "finished", "cancelled": "canceled", "dead": "failed"}.get(status, status)
    steps = list(range(1, STEPS + 1)) if status == "completed" else []
    fields = {"status": status, "attempt": token, "steps": steps, "finished": True, "error": None} | row
    return [
        event(at, ENDED, run, status=status),
        event(900, ROW, run, **fields),
        event(901, JOB, run, status=job, registries=[job]),
    ]


def acknowledged(at: float, run: str, priority: int = 5, *, delayed: bool = False) -> Event:
    return event(at, ACKNOWLEDGED, run, priority=priority, delayed=delayed, steps=STEPS, passes=True)


def good() -> Log:
    """A worker dies under r1, which a second attempt completes; r2 to r5 wait, r6 is cancelled, r7 is rejected."""
    runs = ["r1", "r2", "r3", "r4", "r5", "r6"]
    log = [acknowledged(number, run) for number, run in enumerate(runs)]
    log += [event(7, REJECTED, "r7", kept=False, left=False), event(8, CANCEL, "r6", outcome="removed")]
    log += [
        event(8.5, WAITING, gap=0.05, runs=["r2", "r3", "r4", "r5"]),
        event(10.5, WAITING, gap=0.05, runs=["r3", "r4", "r5"]),
    ]
    log += [*attempt(9, "r1", steps=1), event(11.5, FAULT, name="kill -9 of a worker", loses=False)]
    log += [*attempt(20, "r1", 2), *outcome(24, "r1", token=2), *outcome(8, "r6", "cancelled")]
    for number, run in enumerate(runs[1:5]):
        log += [*attempt(10 + number * 5, run), *outcome(14 + number * 5, run)]
        log += [event(11 + number * 5, WAITING, gap=0.05, runs=runs[2 + number : 5])]
    return log


def without(log: Log, kind: str, run: str) -> Log:
    return [one for one in log if (one.kind, one.run) != (kind, run)]


def with_row(log: Log, run: str, **fields: Any) -> Log:
    return [
        replace(one, fields={**one.fields, **fields}) if (one.kind, one.run) == (ROW, run) else one for one in log
    ]


def lost_outbox_entry(log: Log) -> Log:
    """The end of r2 was never stored: its row is running, its job finished."""
    return with_row(without(log, ENDED, "r2"), "r2", status="running", finished=False)


def lost_run(log: Log) -> Log:
    """The row of r3 was deleted."""
    return without(log, ROW, "r3")


def no_fence(log: Log) -> Log:
    """The frozen first worker of r1 wakes, goes on, and its result replaces that of the second attempt."""
    late = [event(21.5, EFFECT, "r1", 1, step=2), event(25, EFFECT_END, "r1", 1, step=2)]
    return with_row([*log, *late], "r1", attempt=1)


def second_end(log: Log) -> Log:
    """The row of r4 is dead before it is completed."""
    return [*log, event(23.5, ENDED, "r4", status="dead")]


def double_requeue(log: Log) -> Log:
    """A dead worker's job is requeued twice: two workers have attempt 2 of r1 at once."""
    return [*log, event(20.5, BEGIN, "r1", 2)]


def repeated_step(log: Log) -> Log:
    """The first step of r2 is sent again after its response was lost."""
    return [*log, event(11.95, EFFECT, "r2", 1, step=1), event(11.96, EFFECT_END, "r2", 1, step=1)]


def late_acknowledgement(log: Log) -> Log:
    """r2 is completed before its job leaves the queue, so that it runs again after a crash in between."""
    return [*log, *attempt(30, "r2", 2)]


def undone_submission(log: Log) -> Log:
    """The undo of the rejected r7 left its job."""
    return [*log, *attempt(40, "r7")]


def ignored_cancel(log: Log) -> Log:
    """r6 was removed and runs all the same."""
    ends = (ENDED, ROW, JOB)
    return [
        *(one for one in log if one.run != "r6" or one.kind not in ends),
        *attempt(30, "r6"),
        *outcome(40, "r6"),
    ]


def last_in_first_out(log: Log) -> Log:
    """The newest waiting run is taken first."""
    return [
        *log,
        event(8.6, WAITING, gap=0.05, runs=["r2", "r3", "r4"]),
        event(8.7, WAITING, gap=0.05, runs=["r2", "r3"]),
    ]


def unordered_restore(log: Log) -> Log:
    """The list was restored in another order."""
    return [*log, event(8.6, WAITING, gap=0.05, runs=["r3", "r2", "r4", "r5"])]


def blamed_site(log: Log) -> Log:
    """The worker of r5 was frozen, and the run fails."""
    return with_row(without(log, ENDED, "r5"), "r5", status="failed", steps=[1], error="a script keeps it busy")


def missing_step(log: Log) -> Log:
    """One step of r5 was not stored."""
    return with_row(log, "r5", steps=[1])


def half_closed(log: Log) -> Log:
    """Redis says that the completed r2 is a dead letter."""
    return [*without(log, JOB, "r2"), event(901, JOB, "r2", status="failed", registries=["failed"])]


PLANTED: dict[Callable[[Log], Log], str] = {
    lost_outbox_entry: "acknowledged runs end",
    lost_run: "acknowledged runs end",
    no_fence: "the latest attempt ends the run",
    second_end: "runs end once",
    double_requeue: "tokens are held once",
    repeated_step: "effects happen once",
    late_acknowledgement: "nothing follows the end",
    undone_submission: "rejected runs never begin",
    ignored_cancel: "cancels are obeyed",
    last_in_first_out: "first come, first served",
    unordered_restore: "first come, first served",
    blamed_site: "verdicts are right",
    missing_step: "rows are complete",
    half_closed: "runs end once",
}


def test_a_correct_history_has_no_violation() -> None:
    """With a retry, a cancel, a rejected submission and a queue that moves on."""
    assert check(good()) == []


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Callable[[Log], Log]) -> None:
    """By the rule that it breaks."""
    assert PLANTED[plant] in {violation.rule for violation in check(plant(good()))}


def test_every_rule_finds_a_planted_bug() -> None:
    """No rule is without a planted bug that it finds."""
    names = {violation.rule for plant in PLANTED for violation in check(plant(good()))}
    assert len(names) == len(RULES)


def test_one_run_may_be_taken_and_released_between_two_looks() -> None:
    """Then the next one seems to be taken before it."""
    assert check([*good(), event(8.6, WAITING, gap=0.05, runs=["r2", "r4", "r5"])]) == []


def test_runs_may_be_taken_and_released_while_nobody_looked() -> None:
    """On a busy machine the looks at the list are far apart: what happened between them is not known."""
    log = [event(8.6, WAITING, gap=2.0, runs=["r2", "r5"]), event(8.7, WAITING, gap=2.0, runs=["r2"])]
    assert check([*good(), *log]) == []
    assert check([*good(), *(replace(one, fields={**one.fields, "gap": 0.05}) for one in log)]) != []


def test_a_frozen_attempt_may_act_beside_its_successor() -> None:
    """A worker cannot know that it was frozen; its result is refused."""
    late = [event(21.5, EFFECT, "r1", 1, step=2), event(25, EFFECT_END, "r1", 1, step=2)]
    assert check([*good(), *late]) == []


@pytest.mark.parametrize(("kept", "left", "loses"), [(False, True, False), (True, False, True)])
def test_a_rejected_run_may_run_where_its_submission_said_so(kept: bool, left: bool, loses: bool) -> None:
    """Its rows could not be deleted, and Redis could not note it or has lost the note."""
    log = [one for one in undone_submission(good()) if one.kind != REJECTED]
    log += [event(7, REJECTED, "r7", kept=kept, left=left), event(7.5, FAULT, name="a fault", loses=loses)]
    assert check(log) == []
    assert check([one for one in log if one.kind != FAULT]) == [] if left else check(log[:-1]) != []


def test_a_cancel_may_be_lost_with_redis() -> None:
    """Requests to cancel are not restored."""
    lost = [event(8.2, FAULT, name="FLUSHALL", loses=True)]
    assert check([*ignored_cancel(good()), *lost]) == []


def test_an_attempt_that_nobody_saw_may_be_forgotten_with_redis() -> None:
    """The next one has its number; one that has acted on the site is never forgotten."""
    at = next(one.at for one in good() if (one.kind, one.run) == (BEGIN, "r2"))
    begun = event(at - 0.2, BEGIN, "r2", 1)
    lost = event(at - 0.1, FAULT, name="FLUSHALL", loses=True)
    assert check([*good(), begun, lost]) == []
    assert check([*good(), begun]) != []
    assert check([*good(), begun, lost, event(at - 0.15, EFFECT, "r2", 1, step=9)]) != []


def test_a_log_returns_what_several_processes_wrote(tmp_path) -> None:
    """In the order of time."""
    first, second = EventLog(tmp_path / "log"), EventLog(tmp_path / "log")
    first.note(BEGIN, "r1", 1)
    second.note(ENDED, "r1", status="completed")
    first.note(FAULT, name="a", loses=False)
    assert [one.kind for one in second.read()] == [BEGIN, ENDED, FAULT]
    assert second.read()[1]["status"] == "completed"
    first.close()
    second.close()
