"""What a worker does at intervals, on a monotonic clock.

What the scheduler does again and again: each duty in a thread of its own, so that none holds up another.

A duty that fails is tried again at its next turn. It says so once for each new reason, not at every turn, and once
more when it works again.

Puts jobs whose time has come on their queues. Every worker does it, and `python -m qa_queue.worker.scheduler`.

RQ's own scheduler is one process that holds a lock for 60 s beyond its death. Here the move is one step inside
Redis, so any number of processes may do it at once, and none that dies is waited for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.errors import QAError
from qa_queue.queues.enqueue import promote_due

log = logging.getLogger(__name__)


@dataclass
class PeriodicThread:
    """Calls `act` every `every` seconds; `due` is the clock's reading of the next call."""

    every: float
    act: Callable[[], None]
    due: float = field(default=0.0)

    def run(self, now: float) -> bool:
        """Call it if it is due; False when Redis failed, which the next turn tries again."""
        if now < self.due:
            return True
        self.due = now + self.every
        try:
            self.act()
        except RedisError as error:
            log.warning("Redis cannot be reached (%s); trying again in %.0f s", error, self.every)
            return False
        return True


log = logging.getLogger(__name__)

_EXPECTED = (QAError, RedisError, OSError)
_GRACE = 10.0  # s; a duty in the midst of something ends it


@dataclass(frozen=True, kw_only=True)
class PeriodicTask:
    """Something to do every `every_s` seconds, counted from the end of the last time; `name` is for messages."""

    name: str
    every_s: float
    do: Callable[[], object]


def serve(duties: Sequence[PeriodicTask], stop: threading.Event) -> None:
    """Do every duty until told to stop; none that fails or hangs stops another."""
    threads = [threading.Thread(target=_repeat, args=(duty, stop), name=duty.name, daemon=True) for duty in duties]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(_GRACE)


def _repeat(duty: PeriodicTask, stop: threading.Event) -> None:
    told = ""
    while not stop.is_set():
        error = _attempt(duty)
        failure = "" if error is None else _reason(error)
        if error is not None and failure != told:
            trace = None if isinstance(error, _EXPECTED) else error
            log.warning("The scheduler could not %s: %s Trying again.", duty.name, failure, exc_info=trace)
        if told and not failure:
            log.info("The scheduler can %s again", duty.name)
        told = failure
        stop.wait(duty.every_s)


def _attempt(duty: PeriodicTask) -> Exception | None:
    """Do it once; returns why it failed. A fault of the duty's own must not end the others either."""
    try:
        duty.do()
    except Exception as error:  # noqa: BLE001 - told by the caller, once for each reason
        return error
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, QAError):
        return str(error)
    return f"{error}." if isinstance(error, _EXPECTED) else f"{type(error).__name__}: {error}."


def enqueue_due(connection: Redis, queue: str) -> int:
    """Move the jobs of a queue that are due from its schedule to their places in it; returns how many.

    A queue that one of RQ's own schedulers has locked is left to it, since it would put the same jobs on the queue.
    """
    moved = 0
    while batch := promote_due(connection, queue):
        moved += batch
    return moved
