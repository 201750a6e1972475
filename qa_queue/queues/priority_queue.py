"""RQ's queue class with priorities and a dequeue that loses no job."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from redis import Redis
from rq import Queue
from rq.exceptions import DequeueTimeout, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer, Serializer
from rq.timeouts import BaseDeathPenalty

from qa_queue.queues.dequeue import ReservedJob, acknowledge, dequeue
from qa_queue.queues.enqueue import Position, push_job
from qa_queue.queues.keys import QueueKeys

log = logging.getLogger(__name__)


class PriorityQueue(Queue):
    """RQ's queue with priorities; a worker with this `queue_class` takes jobs by priority, and loses none.

    Payloads are JSON. Every way into the queue through this class gives the job its position (`push_job_id`), and
    `dequeue_any` reserves with `dequeue`. Reserved ids stay in the intermediate list until the execution is
    registered, for one queue and for several alike, so a worker must call
    `prepare_job_execution(job, remove_from_intermediate_queue=True)`; RQ's own `perform_job` does so only with a
    single queue.
    """

    def __init__(self, name: str = "default", connection: Redis | None = None, **options: Any) -> None:
        options["serializer"] = options.get("serializer") or JSONSerializer
        super().__init__(name, connection=connection, **options)

    def push_job_id(self, job_id: str, pipeline: Any = None, at_front: bool = False) -> None:
        """Enqueue a saved job at the position of its priority score."""
        push_job(
            self.connection if pipeline is None else pipeline,
            self.name,
            job_id,
            at=Position.FRONT if at_front else Position.OWN,
        )

    def remove(self, job_or_id: Job | str, pipeline: Any = None) -> Any:
        """Remove a waiting job from the queue."""
        job_id = job_or_id.id if isinstance(job_or_id, Job) else job_or_id
        connection = self.connection if pipeline is None else pipeline
        keys = QueueKeys(self.name)
        connection.zrem(keys.scores, job_id)
        connection.zrem(keys.parked, job_id)
        return super().remove(job_id, pipeline=pipeline)

    @classmethod
    def dequeue_any(
        cls,
        queues: Iterable[Queue],
        timeout: int | None,
        connection: Redis,
        job_class: type[Job] | None = None,
        serializer: Serializer | str | None = None,
        death_penalty_class: type[BaseDeathPenalty] | None = None,  # noqa: ARG003 - RQ passes it
    ) -> tuple[Job, Queue] | None:
        """Reserve the next job and return it with its queue, as RQ's workers ask for it; see `dequeue`.

        A job that cannot be read is removed from the queue and logged, so that it stops no worker.

        Raises:
            DequeueTimeout: there was no job within `timeout` s.
        """
        by_name = {queue.name: queue for queue in queues}
        while True:
            reserved = dequeue(connection, list(by_name), timeout)
            if reserved is None:
                if timeout is None:
                    return None
                raise DequeueTimeout(timeout, [queue.key for queue in by_name.values()])
            job = _readable_job(connection, reserved, job_class or Job, serializer or JSONSerializer)
            if job is not None:
                return job, by_name[reserved.queue]


def _readable_job(
    connection: Redis, reserved: ReservedJob, job_class: type[Job], serializer: Serializer | str
) -> Job | None:
    try:
        return job_class.fetch(reserved.job_id, connection=connection, serializer=serializer)
    except NoSuchJobError:
        log.warning("Job %s was deleted or has no payload: removed from %s", reserved.job_id, reserved.queue)
    except (ValueError, TypeError, KeyError):
        log.exception("Job %s cannot be read: removed from %s", reserved.job_id, reserved.queue)
    acknowledge(connection, reserved)
    return None
