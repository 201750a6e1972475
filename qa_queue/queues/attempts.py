"""What went wrong in each attempt of a job: kept in Redis for as long as a dead letter, cut to a length to read.

The attempts of a job stand in the hash `qa:attempts:<job id>`, one field a number. A requeued job counts on, so
that its earlier attempts stay beside the new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError
from redis import Redis

from qa_queue.models import Frozen

KEEP_S = 7 * 24 * 3600
MOST = 50  # attempts kept of one job: the newest
ERROR_LENGTH = 2_000  # characters
TRACEBACK_LENGTH = 16_000  # characters
CUT = "[...]"


class AttemptFailure(Frozen):
    """One attempt that failed. `number` counts from 1; `kind` is a `FailureKind`."""

    number: int
    kind: str
    error: str
    traceback: str = ""
    worker: str = ""
    started_at: datetime | None = None
    failed_at: datetime


def bounded(failure: AttemptFailure) -> AttemptFailure:
    """The failure cut to a length worth keeping: an error keeps its beginning, a traceback its end."""
    error, traceback = failure.error, failure.traceback
    if len(error) > ERROR_LENGTH:
        error = error[:ERROR_LENGTH] + CUT
    if len(traceback) > TRACEBACK_LENGTH:
        traceback = CUT + traceback[-TRACEBACK_LENGTH:]
    return failure.model_copy(update={"error": error, "traceback": traceback})


def attempts_key(job_id: str) -> str:
    """Where the failed attempts of a job stand."""
    return f"qa:attempts:{job_id}"


class AttemptLog:
    """Writes and reads the failed attempts of jobs."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def note(self, job_id: str, failure: AttemptFailure) -> None:
        """Keep what went wrong, cut; what is known of an attempt already stays, for the first word is the true one.

        The caller has masked the secrets: only a worker knows them.

        Raises:
            redis.exceptions.RedisError: Redis failed; note it again, a second call does no harm.
        """
        key = attempts_key(job_id)
        pipeline = self._connection.pipeline(transaction=True)
        pipeline.hsetnx(key, str(failure.number), bounded(failure).model_dump_json())
        pipeline.hdel(key, str(failure.number - MOST))
        pipeline.expire(key, KEEP_S)
        pipeline.execute()

    def read(self, job_id: str) -> tuple[AttemptFailure, ...]:
        """The failed attempts of a job, the first one first."""
        return self.read_many([job_id])[job_id]

    def read_many(self, job_ids: Sequence[str]) -> dict[str, tuple[AttemptFailure, ...]]:
        """The failed attempts of these jobs, by id; one round trip."""
        pipeline = self._connection.pipeline(transaction=False)
        for job_id in job_ids:
            pipeline.hvals(attempts_key(job_id))
        return {job_id: in_order(found) for job_id, found in zip(job_ids, pipeline.execute(), strict=True)}


def in_order(entries: Sequence[bytes]) -> tuple[AttemptFailure, ...]:
    """The failed attempts that the values of a hash `attempts_key` say, the first one first."""
    known = (failure for entry in entries if (failure := _decoded(entry)))
    return tuple(sorted(known, key=lambda failure: failure.number))


def _decoded(entry: bytes) -> AttemptFailure | None:
    try:
        return AttemptFailure.model_validate_json(entry)
    except ValidationError:
        return None  # another version wrote it
