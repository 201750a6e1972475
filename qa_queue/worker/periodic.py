"""Tasks at intervals: in a worker's loop as they become due, in the scheduler each in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.errors import QAError
from qa_queue.queues.enqueue import promote_due

log = logging.getLogger(__name__)

_EXPECTED = (QAError, RedisError, OSError)
_GRACE_S = 10.0  # for a task that is running when the scheduler stops


@dataclass(frozen=True, kw_only=True)
class PeriodicTask:
    """Work to be done every `every_s` seconds; `name` is a phrase for messages, such as "send heartbeats"."""

    name: str
    every_s: float
    do: Callable[[], object]


class PeriodicTasks:
    """Runs tasks in the calling thread, each when it is due on a monotonic clock."""

    def __init__(self, tasks: Sequence[PeriodicTask]) -> None:
        self._due = dict.fromkeys(tasks, 0.0)

    def run_due(self, now: float) -> bool:
        """Run the tasks that are due; return False if Redis failed for one, which is then run at its next turn."""
        due = [task for task, at in self._due.items() if now >= at]
        self._due |= {task: now + task.every_s for task in due}
        return False not in [_run_on_redis(task) for task in due]


def _run_on_redis(task: PeriodicTask) -> bool:
    try:
        task.do()
    except OSError as error:
        log.warning("Cannot %s now (%s); trying again in %.0f s", task.name, error, task.every_s)
    except RedisError as error:
        log.warning("Redis cannot be reached (%s); trying again in %.0f s to %s", error, task.every_s, task.name)
        return False
    return True


def run_in_threads(tasks: Sequence[PeriodicTask], stop: threading.Event) -> None:
    """Run every task until `stop` is set; intervals count from the end of a run, and no task holds up another.

    A task that fails is tried again at its next turn. Each new reason is logged once, and so is the recovery.
    """
    threads = [threading.Thread(target=_repeat, args=(task, stop), name=task.name, daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(_GRACE_S)


def _repeat(task: PeriodicTask, stop: threading.Event) -> None:
    logged = ""
    while not stop.is_set():
        error = _attempt(task)
        failure = "" if error is None else _reason(error)
        if error is not None and failure != logged:
            trace = None if isinstance(error, _EXPECTED) else error
            log.warning("The scheduler could not %s: %s Trying again.", task.name, failure, exc_info=trace)
        if logged and not failure:
            log.info("The scheduler can %s again", task.name)
        logged = failure
        stop.wait(task.every_s)


def _attempt(task: PeriodicTask) -> Exception | None:
    """Run a task once and return its error; a bug in one task must not end the others."""
    try:
        task.do()
    except Exception as error:  # noqa: BLE001 - logged by the caller, once for each reason
        return error
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, QAError):
        return str(error)
    return f"{error}." if isinstance(error, _EXPECTED) else f"{type(error).__name__}: {error}."


def enqueue_due(connection: Redis, queue: str) -> int:
    """Move the jobs of a queue that are due from its schedule to their places in it; return how many.

    Every worker and every scheduler does it. RQ's own scheduler is one process with a lock that outlasts it by 60
    s; here the move is one step inside Redis, so that any number of processes may do it. A queue that one of RQ's
    schedulers has locked is left to it, because it would enqueue the same jobs.
    """
    moved = 0
    while batch := promote_due(connection, queue):
        moved += batch
    return moved
