"""The failed attempts of jobs, kept in Redis for as long as a dead letter, truncated to a readable length.

The attempts of a job are the hash `qa:attempts:<job id>`, one field for each number. The attempts of a requeued job
are numbered on, so that the earlier ones stay beside the new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError
from redis import Redis

from qa_queue.models import Frozen
from qa_queue.queues.keys import attempts_key

KEEP_S = 7 * 24 * 3600
MAX_KEPT = 50  # attempts of one job: the newest
ERROR_LENGTH = 2_000  # characters
TRACEBACK_LENGTH = 16_000  # characters
CUT = "[...]"


class AttemptFailure(Frozen):
    """A failed attempt. `number` counts from 1; `kind` is a `FailureKind`."""

    number: int
    kind: str
    error: str
    traceback: str = ""
    worker: str = ""
    started_at: datetime | None = None
    failed_at: datetime


def truncated(failure: AttemptFailure) -> AttemptFailure:
    """Return the failure at a length worth keeping: the beginning of its error, the end of its traceback."""
    error, traceback = failure.error, failure.traceback
    if len(error) > ERROR_LENGTH:
        error = error[:ERROR_LENGTH] + CUT
    if len(traceback) > TRACEBACK_LENGTH:
        traceback = CUT + traceback[-TRACEBACK_LENGTH:]
    return failure.model_copy(update={"error": error, "traceback": traceback})


class AttemptLog:
    """Records and reads the failed attempts of jobs."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def record(self, job_id: str, failure: AttemptFailure) -> None:
        """Record a failed attempt, truncated; the first record of an attempt is the correct one, and stays.

        The caller has masked the secrets: only a worker knows them.

        Raises:
            redis.exceptions.RedisError: Redis failed; call again, a second call has no effect.
        """
        key = attempts_key(job_id)
        pipeline = self._connection.pipeline(transaction=True)
        pipeline.hsetnx(key, str(failure.number), truncated(failure).model_dump_json())
        pipeline.hdel(key, str(failure.number - MAX_KEPT))
        pipeline.expire(key, KEEP_S)
        pipeline.execute()

    def read(self, job_id: str) -> tuple[AttemptFailure, ...]:
        """Return the failed attempts of a job, the first one first."""
        return self.read_many([job_id])[job_id]

    def read_many(self, job_ids: Sequence[str]) -> dict[str, tuple[AttemptFailure, ...]]:
        """Return the failed attempts of these jobs by id, in one round trip."""
        pipeline = self._connection.pipeline(transaction=False)
        for job_id in job_ids:
            pipeline.hvals(attempts_key(job_id))
        return {job_id: parse_attempts(found) for job_id, found in zip(job_ids, pipeline.execute(), strict=True)}


def parse_attempts(entries: Sequence[bytes]) -> tuple[AttemptFailure, ...]:
    """Return the failed attempts of the values of a hash `attempts_key`, the first one first."""
    known = (failure for entry in entries if (failure := _decoded(entry)))
    return tuple(sorted(known, key=lambda failure: failure.number))


def _decoded(entry: bytes) -> AttemptFailure | None:
    try:
        return AttemptFailure.model_validate_json(entry)
    except ValidationError:
        return None  # another version wrote it
