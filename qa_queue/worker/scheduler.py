"""`python -m qa_queue.worker.scheduler`: puts jobs whose time has come on their queues, as every worker does too.

Nothing in this package imports this module, for Python warns about a module that is run after it was imported.
"""

from __future__ import annotations

import logging
import signal
import threading

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.errors import RedisUnavailableError
from qa_queue.logs import configure_logging
from qa_queue.models import QueueName
from qa_queue.redis import RedisClient
from qa_queue.settings import load_settings
from qa_queue.worker.due import enqueue_due

log = logging.getLogger(__name__)

_PAUSE = 1.0


def serve(connection: Redis, stop: threading.Event) -> None:
    """Serve every queue once a second until told to stop; outlives Redis."""
    while not stop.is_set():
        try:
            for queue in QueueName:
                enqueue_due(connection, queue)
        except RedisError as error:
            log.warning("Redis cannot be reached (%s); trying again in %.0f s", error, _PAUSE)
        stop.wait(_PAUSE)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        connection = RedisClient.instance(settings).connect()
    except RedisUnavailableError as error:
        raise SystemExit(str(error)) from None
    log.info("The scheduler serves %s", ", ".join(QueueName))
    serve(connection, stop)


if __name__ == "__main__":
    main()
