"""Puts jobs whose time has come on their queues. Every worker does it, and `python -m qa_queue.worker.scheduler`.

RQ's own scheduler is one process that holds a lock for 60 s beyond its death. Here the move is one step inside
Redis, so any number of processes may do it at once, and none that dies is waited for.
"""

from __future__ import annotations

from redis import Redis

from qa_queue.priorities import promote_due


def enqueue_due(connection: Redis, queue: str) -> int:
    """Move the jobs of a queue that are due from its schedule to their places in it; returns how many.

    A queue that one of RQ's own schedulers has locked is left to it, since it would put the same jobs on the queue.
    """
    moved = 0
    while batch := promote_due(connection, queue):
        moved += batch
    return moved
