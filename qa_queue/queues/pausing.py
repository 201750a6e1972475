"""Pausing queues, each by itself: nothing is taken from a paused one, and its workers stay up."""

from __future__ import annotations

from redis import Redis

from qa_queue.queues.scripts import PAUSE


def pause(connection: Redis, queue: str) -> bool:
    """Take nothing more from the queue; what runs goes on. False when it was paused already."""
    return bool(connection.register_script(PAUSE)(args=[queue, 1]))


def resume(connection: Redis, queue: str) -> bool:
    """Take from the queue again; takers that wait are woken at once. False when it was not paused."""
    return bool(connection.register_script(PAUSE)(args=[queue, 0]))
