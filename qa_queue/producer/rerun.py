"""Making a run again, as it was made the first time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis import Redis
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.cases.parse import parse_case
from qa_queue.errors import NotFoundError
from qa_queue.models import Priority, QueueName, TestConfig
from qa_queue.producer.planning import resolve_environments
from qa_queue.producer.requests import RunRequest
from qa_queue.redis import connection_of
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import RunRecord


def worth_again(run: RunRecord) -> bool:
    """Whether the run ended badly, and not because somebody cancelled it."""
    return run.status.bad


def rerun_request(
    connection: Redis, store: RunStore, run: RunRecord, user: str | None, env: Mapping[str, str]
) -> RunRequest:
    """A request for the run's case as it is now, with the run's own host, settings, priority and, while its job is
    known to Redis, its values of `${env.X}`; `env` wins over those.

    Raises:
        NotFoundError: its case is gone.
        CaseError: a value that the case needs is no longer known.
    """
    record = store.get_case(run.test_case_id)
    if record is None:
        raise NotFoundError(f"there is no case {run.test_case_id!r}.")
    request = RunRequest(
        case=parse_case(record.definition, source=record.name),
        source=record.source,
        base_url=run.base_url,
        env={**_env_of_job(connection_of(connection, QueueName.TEST_EXECUTION), run.id), **env},
        process_env=False,
        config=TestConfig.model_validate(run.config),
        priority=_priority(run.priority),
        user_id=user,
    )
    resolve_environments([request])
    return request


def _env_of_job(connection: Redis, run_id: str) -> dict[str, str]:
    """The values that the run's job carries; none once it is gone, or when it cannot be read."""
    try:
        job = Job.fetch(run_id, connection=connection, serializer=JSONSerializer)
        env: Any = job.kwargs["data"]["env"]
    except (NoSuchJobError, DeserializationError, KeyError, ValueError, TypeError):
        return {}
    return {str(name): str(value) for name, value in env.items()} if isinstance(env, dict) else {}


def _priority(number: int) -> Priority:
    return Priority(number) if number in list(Priority) else Priority.NORMAL
