"""A job as Redis has it, on whichever server that is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import JsonValue
from redis import Redis
from redis.exceptions import RedisError
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from qa_queue.errors import InputError, NotFoundError
from qa_queue.extensions import queue_names
from qa_queue.queues.attempts import AttemptFailure, AttemptLog
from qa_queue.queues.keys import JOB_PREFIX, METADATA_FIELD
from qa_queue.redis import by_server
from qa_queue.store.sanitize import sanitize

_STATUSES = {
    JobStatus.QUEUED: "waiting",
    JobStatus.SCHEDULED: "delayed",
    JobStatus.DEFERRED: "delayed",
    JobStatus.STARTED: "processing",
    JobStatus.FINISHED: "completed",
    JobStatus.FAILED: "failed",
    JobStatus.STOPPED: "failed",
    JobStatus.CANCELED: "cancelled",
}


@dataclass(frozen=True, kw_only=True)
class JobView:
    """A job. `status` is a state of `QueueStats`; `result` is what its processor returned, None until then."""

    id: str
    queue: str
    name: str
    status: str
    data: dict[str, Any] | None
    result: JsonValue
    errors: tuple[AttemptFailure, ...]
    metadata: dict[str, Any]
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


def read_job(connection: Redis, job_id: str) -> JobView:
    """Return the job of this id.

    Raises:
        NotFoundError: there is no such job, or it is no longer kept.
        InputError: its hash cannot be read.
    """
    connection = server_of_job(connection, job_id)
    try:
        job = Job.fetch(job_id, connection=connection, serializer=JSONSerializer)
        data = job.kwargs.get("data")
        result = job.latest_result()
    except NoSuchJobError:
        raise NotFoundError(f"No job has the id {job_id}: it was never enqueued, or is no longer kept.") from None
    except RedisError:
        raise
    except Exception as error:  # noqa: BLE001 - RQ raises errors of many classes for a malformed hash
        raise InputError(f"Job {job_id} cannot be read: {type(error).__name__}: {error}.") from None
    returned = result.return_value if result is not None and result.type.name == "SUCCESSFUL" else None
    return JobView(
        id=job.id,
        queue=job.origin,
        name=job.description or "",
        status=_STATUSES.get(job.get_status(refresh=False), "waiting"),
        data=sanitize(data) if isinstance(data, dict) else None,
        result=sanitize(returned),
        errors=AttemptLog(connection).read(job.id),
        metadata=read_metadata(connection.hget(job.key, METADATA_FIELD)),
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
    )


def read_metadata(text: str | bytes | None) -> dict[str, Any]:
    """Return the metadata of a job's field; empty where it is missing or cannot be read."""
    try:
        read = json.loads(text or "{}")
    except ValueError:
        return {}
    return sanitize(read) if isinstance(read, dict) else {}


def server_of_job(connection: Redis, job_id: str) -> Redis:
    """Return the Redis that has this job, else the first one. No round trip where there is only one."""
    return jobs_by_server(connection, [job_id])[0][0]


def jobs_by_server(connection: Redis, job_ids: Sequence[str]) -> list[tuple[Redis, list[str]]]:
    """Return these jobs by the Redis that has them, at least one; those that none has are with the first.

    Raises:
        RedisUnavailableError, redis.exceptions.RedisError: a server cannot be asked.
    """
    first, *others = [server for server, _ in by_server(connection, queue_names())]
    remaining, found = list(job_ids), []
    for server in others:
        pipeline = server.pipeline(transaction=False)
        for job_id in remaining:
            pipeline.exists(f"{JOB_PREFIX}{job_id}")
        here = {job_id for job_id, exists in zip(remaining, pipeline.execute(), strict=True) if exists}
        if here:
            found.append((server, [job_id for job_id in remaining if job_id in here]))
            remaining = [job_id for job_id in remaining if job_id not in here]
    return [(first, remaining), *found] if remaining or not found else found
