"""Starting a worker without RQ's command line: `qa-queue worker`, and `python -m qa_queue.worker QUEUE...`."""

from __future__ import annotations

from collections.abc import Sequence

from qa_queue.extensions import known_queue, queue_names
from qa_queue.redis.client import check
from qa_queue.redis.connections import worker_connection
from qa_queue.redis.servers import server_for_all
from qa_queue.settings import Settings
from qa_queue.worker.worker import QAWorker


def known_queues(names: Sequence[str]) -> list[str]:
    """These queues, or all of them where none is named.

    Raises:
        UnknownQueueError: there is no such queue.
    """
    return [known_queue(name) for name in names or queue_names()]


def serve(queues: Sequence[str], settings: Settings, *, burst: bool = False) -> None:
    """Be a worker until told to stop, or in burst mode until nothing is left.

    Raises:
        RedisUnavailableError: Redis cannot be used at the start.
        UnknownQueueError: there is no such queue.
        InputError: the queues are on different Redis servers.
    """
    names = known_queues(queues)
    server = server_for_all(settings, names)
    check(server)
    QAWorker(names, connection=worker_connection(server), settings=settings).work(burst=burst)
