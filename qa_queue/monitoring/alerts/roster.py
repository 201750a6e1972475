"""Who of the workers was lost: those that were there and are gone without a sign-off. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pydantic import Field

from qa_queue.models import Frozen
from qa_queue.monitoring import WorkerState
from qa_queue.monitoring.alerts.snapshot import LostWorker

FORGOTTEN_S = 3600.0  # a loss that nobody replaced within so long is no news any more
# After a gap in the looks, as when Redis was away, a heartbeat may have run out that nobody could send: it lasts
# for 30 s and comes every 4 s. And who was stopped during the gap left a sign-off that is gone by now.
GAP_S = 25.0
_OVERLAP_S = 60.0  # a successor may be there before the heartbeat of the lost one has run out


class Known(Frozen):
    """A worker that lives, and since when it has been known; s since 1970."""

    host: str
    queues: tuple[str, ...]
    since: float


class Roster(Frozen):
    """The workers known to live, by name, those lost and not replaced, and when that was seen, in s since 1970."""

    at: float = 0
    known: dict[str, Known] = Field(default_factory=dict)
    lost: tuple[LostWorker, ...] = ()


def call(roster: Roster, seen: Iterable[WorkerState], now: float, unseen: Collection[str] = ()) -> Roster:
    """The roster after a look at the workers; `seen` has everyone on it too, alive or not.

    Nobody is missed of the queues in `unseen`, whose own Redis could not be asked.

    A newcomer for the same queues replaces one that was lost; one that comes back replaces itself. After a gap of
    more than 25 s nobody is missed: who is there then is known from then on.
    """
    states = {worker.name: worker for worker in seen}
    alive = {name: _known(roster, one, now) for name, one in states.items() if one.alive}
    known = roster.known if now - roster.at <= GAP_S else {}
    missed = tuple(
        LostWorker(name=name, host=one.host, queues=one.queues, at=now)
        for name, one in known.items()
        if name not in alive and not (name in states and states[name].signed_off) and not {*one.queues} & {*unseen}
    )
    return Roster(at=now, known=alive, lost=(*_still_lost(roster.lost, alive, now), *missed))


def _known(roster: Roster, worker: WorkerState, now: float) -> Known:
    return roster.known.get(worker.name) or Known(host=worker.host, queues=worker.queues, since=now)


def _still_lost(lost: Iterable[LostWorker], alive: dict[str, Known], now: float) -> list[LostWorker]:
    successors = dict(alive)
    kept = []
    for one in lost:
        heir = one.name if one.name in successors else _heir(one, successors)
        if heir is not None:
            del successors[heir]
        elif now - one.at <= FORGOTTEN_S:
            kept.append(one)
    return kept


def _heir(lost: LostWorker, successors: dict[str, Known]) -> str | None:
    """Who serves the same queues since about the loss or later."""
    fits = (
        name for name, one in successors.items() if one.queues == lost.queues and one.since >= lost.at - _OVERLAP_S
    )
    return next(fits, None)
