"""What Redis knows of jobs, for those who keep the database in step with it.

An outcome that a worker has closed in Redis is kept beside the job until it is stored in the database, so that any
worker can store it when the first one dies.
"""

from __future__ import annotations

from typing import Any

from redis import Redis

from qa_queue.queues.keys import QueueKeys
from qa_queue.redis.scripts import LuaScript

_FORGET = LuaScript.load("qa_queue.queues", "forget_record")
MOST_RECORDS = 200  # outcomes read at once


def unstored_records(connection: Redis, queue: str) -> dict[str, bytes]:
    """Return outcomes of a queue that are not stored in the database yet, by job id; about 200 of them at most."""
    found: Any
    _, found = connection.hscan(QueueKeys(queue).unrecorded, count=MOST_RECORDS)
    return {job_id.decode(): record for job_id, record in found.items()}


def is_unstored(connection: Redis, queue: str, job_id: str) -> bool:
    """Return whether the outcome of a job is not stored in the database yet."""
    return bool(connection.hexists(QueueKeys(queue).unrecorded, job_id))


def forget_record(connection: Redis, queue: str, job_id: str, record: bytes) -> None:
    """Forget an outcome that is stored now; a later one of the same job is kept."""
    _FORGET.run(connection, [QueueKeys(queue).unrecorded], [job_id, record])
