"""The checker of chaos runs: reads an event log and returns what breaks a promise of docs/queue.md.

Each rule is a pure function of the history of the log. A token is the number of an attempt: workers may overlap
while one of them is frozen, but no two of them may have the same token, and only the latest token may end the run.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from tests.chaos.events import (
    ACKNOWLEDGED,
    ASK,
    BEGIN,
    CANCEL,
    EFFECT,
    EFFECT_END,
    ENDED,
    FAULT,
    JOB,
    REJECTED,
    ROW,
    WAITING,
    Event,
)

FINAL = frozenset({"completed", "failed", "timed_out", "cancelled", "dead"})
# States of a job in Redis that fit the final status of its row.
JOBS_OF: Mapping[str, frozenset[str]] = {
    "completed": frozenset({"finished"}),
    "failed": frozenset({"finished", "failed"}),
    "timed_out": frozenset({"finished", "failed"}),
    "cancelled": frozenset({"canceled", "failed", "stopped", "finished"}),
    "dead": frozenset({"failed"}),
}
_ONE_OVERTAKE = 1  # a run may be taken and released between two looks at the list, while the next one is taken
_BLIND_S = 0.5  # between two looks, on a busy machine; runs may be taken and released again and again meanwhile


@dataclass(frozen=True)
class Violation:
    """A broken promise: the rule, the run, and what was seen."""

    rule: str
    run: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.run}: {self.text}"


class History:
    """The events of a log by kind and by run, each group in the order of time."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.events = sorted(events, key=lambda event: event.at)

    @cached_property
    def _groups(self) -> Mapping[str, Mapping[str, list[Event]]]:
        groups: dict[str, dict[str, list[Event]]] = defaultdict(lambda: defaultdict(list))
        for event in self.events:
            groups[event.kind][event.run].append(event)
        return groups

    def of(self, kind: str, run: str | None = None) -> list[Event]:
        """Return the events of a kind, or those of one run."""
        found = self._groups.get(kind, {})
        return found.get(run, []) if run is not None else [event for group in found.values() for event in group]

    @cached_property
    def acknowledged(self) -> Mapping[str, Event]:
        """The acknowledgement of each run, in their order."""
        events = sorted(self.of(ACKNOWLEDGED), key=lambda event: event.at)
        return {event.run: event for event in events}

    def lost_after(self, at: float, until: float = math.inf) -> bool:
        """Return whether Redis may have lost data after this time, and by another one."""
        return any(at <= event.at <= until and event["loses"] for event in self.of(FAULT))


Rule = Callable[[History], Iterator[Violation]]


def check(events: Iterable[Event]) -> list[Violation]:
    """Return every violation in an event log."""
    history = History(events)
    return [violation for rule in RULES for violation in rule(history)]


def acknowledged_runs_end(history: History) -> Iterator[Violation]:
    """An acknowledged run has a row, and the row has ended."""
    for run in history.acknowledged:
        rows = history.of(ROW, run)
        if not rows:
            yield Violation("acknowledged runs end", run, "has no row")
        elif (status := rows[-1]["status"]) not in FINAL:
            yield Violation("acknowledged runs end", run, f"its row is still {status}")


def rejected_runs_never_begin(history: History) -> Iterator[Violation]:
    """A submission that was rejected has no effect on the site, unless it said that it could not be undone.

    One whose rows are `kept` is noted in Redis, which may lose its data before the rows are deleted.
    """
    for event in history.of(REJECTED):
        stated = event["left"] or (event["kept"] and history.lost_after(event.at))
        if history.of(EFFECT, event.run) and not stated:
            yield Violation("rejected runs never begin", event.run, "was rejected, and ran")


def tokens_are_held_once(history: History) -> Iterator[Violation]:
    """Each token of a run is begun once, and later attempts have higher tokens.

    Where Redis has lost its data, an attempt that was never seen by the site or the database may be forgotten.
    """
    for run in _runs(history, BEGIN):
        for earlier, later in pairwise(history.of(BEGIN, run)):
            acted = any(effect.at < later.at for effect in history.of(EFFECT, run))
            forgotten = not acted and history.lost_after(earlier.at, later.at)
            if later.token <= earlier.token and not forgotten:
                text = f"attempt {later.token} begins at {later.at:.3f} after attempt {earlier.token}"
                yield Violation("tokens are held once", run, text)


def effects_happen_once(history: History) -> Iterator[Violation]:
    """The site sees each step of an attempt once, and one step of it at a time."""
    for run in _runs(history, EFFECT):
        effects = history.of(EFFECT, run)
        counts = Counter((event.token, event["step"]) for event in effects)
        for (token, step), count in counts.items():
            if count > 1:
                yield Violation("effects happen once", run, f"step {step} of attempt {token} happens {count} times")
        yield from _overlaps(run, sorted([*effects, *history.of(EFFECT_END, run)], key=lambda event: event.at))


def _overlaps(run: str, events: Sequence[Event]) -> Iterator[Violation]:
    open_steps: dict[int, int] = {}
    for event in events:
        if event.kind == EFFECT_END:
            if open_steps.get(event.token) == event["step"]:
                del open_steps[event.token]
        elif event.token in open_steps:
            text = f"steps {open_steps[event.token]} and {event['step']} of attempt {event.token} overlap"
            yield Violation("effects happen once", run, text)
        else:
            open_steps[event.token] = event["step"]


def runs_end_once(history: History) -> Iterator[Violation]:
    """A row keeps its first end, and the job in Redis agrees with it."""
    for run in history.acknowledged:
        statuses = [event["status"] for event in (*history.of(ENDED, run), *history.of(ROW, run))]
        ends = [status for status in statuses if status in FINAL]
        if len(set(ends)) > 1 or (ends and statuses[-1] not in FINAL):
            yield Violation("runs end once", run, f"its row was {', then '.join(dict.fromkeys(statuses))}")
        yield from _disagreements(run, statuses, history.of(JOB, run))


def _disagreements(run: str, statuses: Sequence[str], jobs: Sequence[Event]) -> Iterator[Violation]:
    fitting = JOBS_OF.get(statuses[-1]) if statuses else None
    if not jobs or fitting is None:
        return
    status, registries = jobs[-1]["status"], jobs[-1]["registries"]
    if status is not None and status not in fitting:
        yield Violation("runs end once", run, f"its row is {statuses[-1]} and its job is {status}")
    if len(registries) > 1 or (status is not None and not registries):
        yield Violation("runs end once", run, f"its job is in {', '.join(registries) or 'no registry'}")


def nothing_follows_the_end(history: History) -> Iterator[Violation]:
    """No attempt begins to act on the site once the row has ended."""
    for run in _runs(history, ENDED):
        end = history.of(ENDED, run)[0]
        begun = {event.token: event.at for event in history.of(BEGIN, run)}
        late = [event for event in history.of(EFFECT, run) if begun.get(event.token, event.at) > end.at]
        if late:
            text = f"attempt {late[0].token} acts at {late[0].at:.3f}, after the end at {end.at:.3f}"
            yield Violation("nothing follows the end", run, text)


def the_latest_attempt_ends_the_run(history: History) -> Iterator[Violation]:
    """The result in the row is that of the latest attempt that acted on the site."""
    for run in history.acknowledged:
        rows, effects = history.of(ROW, run), history.of(EFFECT, run)
        if not rows or not effects or rows[-1]["status"] not in ("completed", "failed", "timed_out"):
            continue
        attempt, latest = rows[-1]["attempt"], max(event.token for event in effects)
        if attempt < latest and not _began_after_the_end(history, run, attempt, latest):
            text = f"its row has the result of attempt {attempt}; attempt {latest} had begun"
            yield Violation("the latest attempt ends the run", run, text)


def _began_after_the_end(history: History, run: str, attempt: int, latest: int) -> bool:
    """Return whether the attempt with the result had done its last step when the latest one began to act."""
    last_step = max((event.at for event in history.of(EFFECT_END, run) if event.token == attempt), default=0.0)
    first_step = min(event.at for event in history.of(EFFECT, run) if event.token == latest)
    return last_step <= first_step


def first_come_first_served(history: History) -> Iterator[Violation]:
    """Within a priority the waiting list is in the order of acknowledgement, and its first run is taken first."""
    places = {run: place for place, run in enumerate(history.acknowledged)}
    looks = sorted(history.of(WAITING), key=lambda event: event.at)
    for look in looks:
        for runs in _by_priority(history, look["runs"]):
            if runs != sorted(runs, key=places.__getitem__):
                yield Violation("first come, first served", runs[0], f"the waiting list is {', '.join(runs)}")
    for run, count in _overtaken(history, looks).items():
        if count > _ONE_OVERTAKE:
            yield Violation("first come, first served", run, f"{count} later runs were taken while it was waiting")


def _by_priority(history: History, runs: Sequence[str]) -> Iterator[list[str]]:
    """Return the waiting runs of each priority; delayed ones take their places when they are due."""
    known = [run for run in runs if run in history.acknowledged and not history.acknowledged[run]["delayed"]]
    for priority in {history.acknowledged[run]["priority"] for run in known}:
        yield [run for run in known if history.acknowledged[run]["priority"] == priority]


def _overtaken(history: History, looks: Sequence[Event]) -> dict[str, int]:
    """Return for each run the most later runs that were taken while it was seen waiting without a break.

    `gap` is the time in s between a look that found a change and the one before it.
    """
    cancelled = {event.run for event in history.of(CANCEL)}
    counts: dict[str, int] = {}
    most: dict[str, int] = {}
    for before, after in pairwise(looks):
        waiting = set(after["runs"])
        blind = after["gap"] > _BLIND_S
        counts = {run: 0 if blind else counts.get(run, 0) for run in waiting}
        for runs in _by_priority(history, before["runs"]):
            for at, run in enumerate(runs):
                if run in waiting and not blind:
                    counts[run] += len(set(runs[at + 1 :]) - waiting - cancelled)
        most |= {run: max(count, most.get(run, 0)) for run, count in counts.items()}
    return most


def cancels_are_obeyed(history: History) -> Iterator[Violation]:
    """A run that was removed never acts; one that was signalled begins no attempt that has not asked before."""
    for event in history.of(CANCEL):
        if event["outcome"] not in ("removed", "signalled") or history.lost_after(event.at):
            continue
        asked = {one.token: one.at for one in history.of(ASK, event.run)}
        late = [one for one in history.of(EFFECT, event.run) if asked.get(one.token, one.at) > event.at]
        if late:
            text = (
                f"the request at {event.at:.3f} was answered {event['outcome']}, and attempt {late[0].token} acts"
            )
            yield Violation("cancels are obeyed", event.run, text)
        status = next((row["status"] for row in reversed(history.of(ROW, event.run))), None)
        if event["outcome"] == "removed" and status in FINAL - {"cancelled"}:
            yield Violation("cancels are obeyed", event.run, f"was removed, and its row is {status}")


def verdicts_are_right(history: History) -> Iterator[Violation]:
    """No fault of the service is blamed on the site or ends a run early: it passes or fails as its page says."""
    cancelled = {event.run for event in history.of(CANCEL)}
    for run, event in history.acknowledged.items():
        expected = {"completed" if event["passes"] else "failed"} | ({"cancelled"} if run in cancelled else set())
        for row in history.of(ROW, run)[-1:]:
            if row["status"] in FINAL - expected:
                text = f"is {row['status']} on attempt {row['attempt']}, not {' or '.join(sorted(expected))}"
                yield Violation("verdicts are right", run, f"{text}: {row['error']}")


def rows_are_complete(history: History) -> Iterator[Violation]:
    """A run that has completed has each step of its last attempt once, and every ended row has its end's time."""
    for run in history.acknowledged:
        for row in history.of(ROW, run)[-1:]:
            if row["status"] in FINAL and not row["finished"]:
                yield Violation("rows are complete", run, f"is {row['status']} without a time of its end")
            expected = list(range(1, history.acknowledged[run]["steps"] + 1))
            if row["status"] == "completed" and row["steps"] != expected:
                text = f"has completed with the steps {row['steps']} of attempt {row['attempt']}, not {expected}"
                yield Violation("rows are complete", run, text)


def _runs(history: History, kind: str) -> list[str]:
    return list(dict.fromkeys(event.run for event in history.of(kind)))


RULES: tuple[Rule, ...] = (
    acknowledged_runs_end,
    rejected_runs_never_begin,
    tokens_are_held_once,
    effects_happen_once,
    runs_end_once,
    nothing_follows_the_end,
    the_latest_attempt_ends_the_run,
    first_come_first_served,
    cancels_are_obeyed,
    verdicts_are_right,
    rows_are_complete,
)
