"""Submit runs as a batch, and submit earlier runs again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from redis import Redis
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.errors import InputError, ItemsError
from qa_queue.models import Priority, QueueName, TestConfig
from qa_queue.producer import RunRequest, SubmittedBatch, SubmittedRun
from qa_queue.producer.validation import resolve_environments
from qa_queue.redis import connection_of
from qa_queue.services.backend import Backend
from qa_queue.services.cases import case_of
from qa_queue.store.records import RunRecord

T = TypeVar("T")
R = TypeVar("R")


def each(items: Sequence[T], make: Callable[[T], R]) -> list[R]:
    """Return `make` of every item.

    Raises:
        ItemsError: it failed for some of them; every one is named.
    """
    made: list[R] = []
    faults: dict[int, InputError] = {}
    for index, item in enumerate(items):
        try:
            made.append(make(item))
        except InputError as error:
            faults[index] = error
    if faults:
        raise ItemsError(faults, len(items))
    return made


def submit_batch(backend: Backend, requests: Sequence[RunRequest]) -> SubmittedBatch:
    """Submit runs as a batch, all or none. Where idempotency keys had made every run, it is their first batch.

    Raises:
        InputError, InfrastructureError: as `JobProducer.submit`.
    """
    batch = backend.producer.submit_batch(requests)
    if any(run.created for run in batch.runs):
        return batch
    return replace(batch, id=backend.run(batch.runs[0].run_id).batch_id or batch.id)


def rerun_run(
    backend: Backend, run_id: str, *, user: str | None, env: Mapping[str, str], hosts: tuple[str, ...] = ()
) -> SubmittedRun:
    """Submit a run again, as `rerun_request` describes.

    Raises:
        NotFoundError, CaseError: there is no such run, or it cannot be submitted again.
    """
    request = rerun_request(backend, backend.run(run_id), user=user, env=env, hosts=hosts)
    return backend.producer.submit(request)[0]


def rerun_runs(
    backend: Backend,
    run_ids: Sequence[str],
    *,
    user: str | None = None,
    env: Mapping[str, str],
    only_failed: bool,
    hosts: tuple[str, ...] = (),
) -> tuple[SubmittedRun, ...]:
    """Submit runs again, all or none. With `only_failed` the others are left out, which may leave none.

    `user` submits them; None keeps the user of each.

    Raises:
        ItemsError: names every run that does not exist or cannot be submitted again.
    """
    runs = each(run_ids, backend.run)

    def request_of(run: RunRecord) -> RunRequest | None:
        if only_failed and not run.status.bad:
            return None
        return rerun_request(backend, run, user=user, env=env, hosts=hosts)

    requests = [request for request in each(runs, request_of) if request is not None]
    return backend.producer.submit(requests) if requests else ()


def rerun_batch(
    backend: Backend,
    batch_id: str,
    *,
    user: str | None = None,
    env: Mapping[str, str],
    only_failed: bool,
    hosts: tuple[str, ...] = (),
) -> SubmittedBatch:
    """Submit the runs of a batch again, as a new batch; all or none.

    Raises:
        NotFoundError: there is no such batch.
        ForbiddenError: the caller's token does not cover every run of it.
        ConflictError: none of its runs is to be submitted again.
        ItemsError: names every run that cannot be submitted again.
    """
    backend.require_whole_batch(batch_id)
    runs = backend.batches.worth_again(batch_id, only_failed=only_failed)

    def request_of(run: RunRecord) -> RunRequest:
        try:
            return rerun_request(backend, run, user=user, env=env, hosts=hosts)
        except InputError as error:
            raise InputError(f"run {run.id}: {error}") from error

    return submit_batch(backend, each(runs, request_of))


def rerun_request(
    backend: Backend, run: RunRecord, *, user: str | None, env: Mapping[str, str], hosts: tuple[str, ...] = ()
) -> RunRequest:
    """Return a request for the run's case as it is now, with the run's host, settings and priority.

    Its `${env.X}` have the values of the run's job while Redis has it (24 h); `env` overrides them. A case that has
    changed since gets none but at the command line (`user` is None): it could send another user's elsewhere. With
    `hosts` it reaches those only.

    Raises:
        NotFoundError: its case was deleted.
        CaseError: a value that the case needs is unknown.
    """
    record = backend.case(run.test_case_id)
    reused = user is None or record.version == run.case_version
    known = _env_of_job(connection_of(backend.redis, QueueName.TEST_EXECUTION), run.id) if reused else {}
    request = RunRequest(
        case=case_of(record),
        source=record.source,
        base_url=run.base_url,
        env={**known, **env},
        process_env=False,
        config=TestConfig.model_validate(run.config),
        data_row=run.data_row,
        priority=Priority(run.priority) if run.priority in list(Priority) else Priority.NORMAL,
        user_id=run.user_id if user is None else user,
        allowed_hosts=hosts,
    )
    resolve_environments([request])
    return request


def _env_of_job(connection: Redis, run_id: str) -> dict[str, str]:
    """Return the values that the run's job carries; none if the job is gone or cannot be read."""
    try:
        job = Job.fetch(run_id, connection=connection, serializer=JSONSerializer)
        env: Any = job.kwargs["data"]["env"]
    except (NoSuchJobError, DeserializationError, KeyError, ValueError, TypeError):
        return {}
    return {str(name): str(value) for name, value in env.items()} if isinstance(env, dict) else {}
