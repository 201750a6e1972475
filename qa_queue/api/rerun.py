"""Making a run again, as it was made the first time."""

from __future__ import annotations

from typing import Any

from redis import Redis
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.api.backend import Backend
from qa_queue.api.submission import checked, stored_case
from qa_queue.models import Priority, RunStatus, TestConfig
from qa_queue.producer import RunRequest
from qa_queue.store.records import RunRecord

_FAILED = (RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.DEAD)


def worth_again(run: RunRecord) -> bool:
    """Whether the run ended badly, and not because somebody cancelled it."""
    return run.status in _FAILED


def rerun_request(backend: Backend, run: RunRecord, user: str, env: dict[str, str]) -> RunRequest:
    """A request for the run's case as it is now, with the run's own host, settings, priority and, while its job is
    known to Redis, its values of `${env.X}`; `env` wins over those.

    Raises:
        NotFoundError: its case is gone.
        CaseError: a value that the case needs is no longer known.
    """
    record = backend.case(run.test_case_id)
    return checked(
        RunRequest(
            case=stored_case(record),
            source=record.source,
            base_url=run.base_url,
            env=_env_of_job(backend.redis, run.id) | env,
            process_env=False,
            config=TestConfig.model_validate(run.config),
            priority=_priority(run.priority),
            user_id=user,
        )
    )


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
