"""The service at one moment, as values; and from one moment to the next, the workers that were lost. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import Field

from qa_queue.models import Frozen
from qa_queue.monitoring.heartbeats import WorkerState

FORGET_S = 3600.0  # after which a lost worker without a successor is forgotten
# After a longer gap between two snapshots, such as an outage of Redis, no worker counts as lost: its heartbeat,
# which comes every 4 s and lasts for 30 s, may have expired because it could not be sent.
LONGEST_GAP_S = 25.0
_OVERLAP_S = 60.0  # a successor may start before the heartbeat of the lost worker has expired


@dataclass(frozen=True, kw_only=True)
class RunCounts:
    """Runs that ended within a window: `failed` of `total`."""

    total: int = 0
    failed: int = 0


@dataclass(frozen=True, kw_only=True)
class QueueSnapshot:
    """A queue at one moment. `oldest_s` is the age of its oldest waiting job, None if none waits.

    `silent_s` has the seconds since the last progress of each running job, by id. `dead` (dead letters) and
    `outcomes` are by window, in seconds.
    """

    name: str
    waiting: int = 0
    workers: int = 0
    paused: bool = False
    oldest_s: float | None = None
    silent_s: Mapping[str, float] = field(default_factory=dict)
    dead: Mapping[float, int] = field(default_factory=dict)
    outcomes: Mapping[float, RunCounts] = field(default_factory=dict)


class LostWorker(Frozen):
    """A worker that died without a sign-off; `at` is when its absence was noticed, in s since 1970."""

    name: str
    queues: tuple[str, ...]
    host: str
    at: float


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The service at one moment.

    `redis` and `supabase` are error messages, None if the part can be used. While Redis is unavailable, nothing is
    known of queues and workers. `queues_unavailable` has the message of each queue whose own Redis cannot be used;
    such a queue is not in `queues`. `supabase_known` is False until Supabase was checked. `disks` are bytes free
    under QA_HOME, by host.
    """

    at: float  # s since 1970
    redis: str | None = None
    supabase: str | None = None
    supabase_known: bool = True
    queues: tuple[QueueSnapshot, ...] = ()
    queues_unavailable: Mapping[str, str] = field(default_factory=dict)
    lost: tuple[LostWorker, ...] = ()
    disks: Mapping[str, int] = field(default_factory=dict)


class KnownWorker(Frozen):
    """A running worker; `since` is when it was first seen, in s since 1970."""

    host: str
    queues: tuple[str, ...]
    since: float


class KnownWorkers(Frozen):
    """Running workers by name, and lost ones without a successor, as of `at`, in s since 1970."""

    at: float = 0
    known: Mapping[str, KnownWorker] = Field(default_factory=dict)
    lost: tuple[LostWorker, ...] = ()

    def after(self, seen: Iterable[WorkerState], now: float, *, unavailable: Collection[str] = ()) -> KnownWorkers:
        """Return the workers as of `now`; `seen` are the registered ones and all known ones, alive or not.

        A worker is lost if it is not alive and did not sign off. It is no longer lost when it returns, or when
        another worker for the same queues appears, each of which replaces one. No worker of the queues in
        `unavailable`, whose Redis could not be asked, counts as lost.
        """
        states = {worker.name: worker for worker in seen}
        alive = {name: self._known(one, now) for name, one in states.items() if one.alive}
        expected = self.known if now - self.at <= LONGEST_GAP_S else {}
        lost = tuple(
            LostWorker(name=name, host=one.host, queues=one.queues, at=now)
            for name, one in expected.items()
            if name not in alive and not _excused(one, states.get(name), unavailable)
        )
        return KnownWorkers(at=now, known=alive, lost=(*_without_successor(self.lost, alive, now), *lost))

    def _known(self, worker: WorkerState, now: float) -> KnownWorker:
        return self.known.get(worker.name) or KnownWorker(host=worker.host, queues=worker.queues, since=now)


def _excused(worker: KnownWorker, state: WorkerState | None, unavailable: Collection[str]) -> bool:
    signed_off = state is not None and state.signed_off
    return signed_off or not set(worker.queues).isdisjoint(unavailable)


def _without_successor(
    lost: Iterable[LostWorker], alive: Mapping[str, KnownWorker], now: float
) -> list[LostWorker]:
    free = dict(alive)
    kept = []
    for one in lost:
        successor = one.name if one.name in free else _successor(one, free)
        if successor is not None:
            del free[successor]
        elif now - one.at <= FORGET_S:
            kept.append(one)
    return kept


def _successor(lost: LostWorker, free: Mapping[str, KnownWorker]) -> str | None:
    """Return the name of a worker for the same queues that started about when the lost one died, or later."""
    fits = (name for name, one in free.items() if one.queues == lost.queues and one.since >= lost.at - _OVERLAP_S)
    return next(fits, None)
