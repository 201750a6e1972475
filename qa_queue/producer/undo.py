"""Taking a submission back that Redis may have taken in part, and saying what is wrong with Redis."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.cancel import request_cancel
from qa_queue.errors import RedisUnavailableError
from qa_queue.producer.idempotency import release
from qa_queue.redis import address_of, explain

log = logging.getLogger(__name__)


def forget(connection: Redis, job_ids: Sequence[str], claims: Mapping[str, str]) -> None:
    """Have Redis forget these jobs and `{job id: claim key}`: it may have taken them though its answer was lost.

    What it refuses is logged, for the first error counts.
    """
    try:
        request_cancel(connection, job_ids)
        release(connection, claims)
    except RedisError as error:
        log.warning("Redis could not be asked to forget %d jobs: %s", len(job_ids), error)


@contextmanager
def explained(connection: Redis) -> Iterator[None]:
    """Raise what Redis fails with as `RedisUnavailableError`."""
    try:
        yield
    except RedisError as error:
        raise RedisUnavailableError(explain(error, address_of(connection))) from error
