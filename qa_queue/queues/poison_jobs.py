"""Jobs whose hash in Redis is no job become dead letters at once, in a form that RQ and its dashboard can read."""

from __future__ import annotations

import json
import time
import zlib

from redis import Redis
from redis.exceptions import ResponseError
from rq.job import JobStatus
from rq.utils import as_text, utcformat

from qa_queue.models import utc_now
from qa_queue.queues.attempts import AttemptFailure, AttemptLog
from qa_queue.queues.dead_letter import RAW_FIELD
from qa_queue.queues.dead_letter_scripts import BURY
from qa_queue.queues.dequeue import ReservedJob
from qa_queue.queues.jobs import FAILURE_TTL_S
from qa_queue.queues.keys import JOB_PREFIX

RAW_LENGTH = 64_000  # characters kept of what cannot be read
FUNCTION = "qa_queue.unreadable"  # no function: it stands where RQ wants a name


def bury_unreadable(connection: Redis, taken: ReservedJob, problem: str) -> bool:
    """Make a dead letter of a taken job that cannot be read; False when it is gone or was taken out of the way.

    What stood in its place is kept as text, and can be looked at and discarded, but not requeued.

    Raises:
        redis.exceptions.RedisError: Redis failed; call again.
    """
    raw = _raw(connection, taken.job_id)
    if raw is None:
        return False
    error = f"job {taken.job_id} cannot be read: {problem}"
    failure = AttemptFailure(number=1, kind="input", error=error, failed_at=utc_now())
    AttemptLog(connection).note(taken.job_id, failure)
    fields = [part for pair in _fields(taken.queue, raw).items() for part in pair]
    arguments = [taken.queue, taken.job_id, int(time.time()) + FAILURE_TTL_S, FAILURE_TTL_S, *fields]
    return bool(connection.register_script(BURY)(args=arguments))


def _raw(connection: Redis, job_id: str) -> str | None:
    key = f"{JOB_PREFIX}{job_id}"
    try:
        found = connection.hgetall(key)
    except ResponseError:
        return f"no hash but a {as_text(connection.type(key))}"
    texts = {repr(name)[2:-1]: repr(value)[2:-1] for name, value in found.items()}
    return json.dumps(texts)[:RAW_LENGTH] if found else None


def _fields(queue: str, raw: str) -> dict[str, str | bytes]:
    now = utcformat(utc_now())
    return {
        "created_at": now,
        "enqueued_at": now,
        "ended_at": now,
        "status": JobStatus.FAILED.value,
        "origin": queue,
        "description": "A job that could not be read",
        "data": zlib.compress(json.dumps([FUNCTION, None, [], {"data": {}}]).encode()),
        RAW_FIELD: raw,
    }
