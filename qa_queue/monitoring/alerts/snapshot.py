"""What the rules look at: the service at one moment, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from qa_queue.models import Frozen


@dataclass(frozen=True, kw_only=True)
class RunCounts:
    """How runs ended within a window: `failed` of `total`."""

    total: int = 0
    failed: int = 0


@dataclass(frozen=True, kw_only=True)
class QueueView:
    """A queue at one moment. `oldest_s` is None where nothing waits.

    `dead` and `outcomes` are by window, in seconds: dead letters of that time, and how runs ended in it.
    """

    name: str
    waiting: int = 0
    workers: int = 0
    paused: bool = False
    oldest_s: float | None = None
    dead: dict[float, int] = field(default_factory=dict)
    outcomes: dict[float, RunCounts] = field(default_factory=dict)


class LostWorker(Frozen):
    """A worker that died without a word; `at` is when it was missed, in s since 1970."""

    name: str
    queues: tuple[str, ...]
    host: str
    at: float


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The service at one moment.

    `redis` and `supabase` say what is wrong with them, None when nothing is. While Redis is away nothing is known
    of queues, workers and scheduler. `queues_away` says the same of the queues whose own Redis is away, by name;
    they are not among `queues`. `supabase_known` is False while it has not been looked at. `disks` are bytes free
    under QA_HOME, by host.
    """

    at: float  # s since 1970
    redis: str | None = None
    supabase: str | None = None
    supabase_known: bool = True
    queues: tuple[QueueView, ...] = ()
    queues_away: dict[str, str] = field(default_factory=dict)
    lost: tuple[LostWorker, ...] = ()
    scheduler_silent_since: datetime | None = None
    disks: dict[str, int] = field(default_factory=dict)
