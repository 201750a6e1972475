"""One job as Redis has it, for whoever asks what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import JsonValue
from redis import Redis
from redis.exceptions import RedisError
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import as_text

from qa_queue.errors import InputError, NotFoundError
from qa_queue.queues.attempts import AttemptFailure, AttemptLog
from qa_queue.queues.keys import METADATA_FIELD, home_of, read_metadata
from qa_queue.store.mapping import sanitize

_WORDS = {
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
    """A job. `status` is in the words of the stats; `result` is what its processor returned, None before."""

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
    """The job of this id.

    Raises:
        NotFoundError: there is none, or it is no longer kept.
        InputError: what stands there cannot be read.
    """
    connection = home_of(connection, job_id)
    try:
        job = Job.fetch(job_id, connection=connection, serializer=JSONSerializer)
        data = job.kwargs.get("data")
        result = job.latest_result()
    except NoSuchJobError:
        raise NotFoundError(f"No job has the id {job_id}: it was never enqueued, or is no longer kept.") from None
    except RedisError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever RQ stumbles over
        raise InputError(f"Job {job_id} cannot be read: {type(error).__name__}: {error}.") from None
    returned = result.return_value if result is not None and result.type.name == "SUCCESSFUL" else None
    return JobView(
        id=job.id,
        queue=job.origin,
        name=job.description or "",
        status=_WORDS.get(job.get_status(refresh=False), "waiting"),
        data=sanitize(data) if isinstance(data, dict) else None,
        result=sanitize(returned),
        errors=AttemptLog(connection).read(job.id),
        metadata=read_metadata(as_text(connection.hget(job.key, METADATA_FIELD) or b"{}")),
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
    )
