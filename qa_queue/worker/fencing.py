"""Fencing: an execution is closed only while this worker still owns it.

A worker that missed its heartbeats loses its executions to another worker. Ownership is an entry in RQ's
registries, the execution's id: the worker that takes over removes it in the transaction in which it closes the
execution. So every execution is closed in a transaction that Redis refuses if the job's registry of executions has
changed since ownership was checked, which makes check and close one step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError, WatchError
from rq.executions import Execution, ExecutionRegistry
from rq.job import Job, JobStatus
from rq.utils import current_timestamp

_KEEP_S = 60  # how long the job's registry keeps the entry


class ExecutionLostError(Exception):
    """Another worker has taken the execution over, and closes it."""


@dataclass(frozen=True, kw_only=True)
class FencingToken:
    """Entries of an open execution: in the queue's registry and in the registry of its job."""

    queue_key: str
    member: str
    job_key: str
    execution_id: str
    clock_offset: float = 0.0  # s by which Redis' clock is ahead of this machine's

    @classmethod
    def of(cls, job: Job, execution: Execution, clock_offset: float = 0.0) -> FencingToken:
        """Return the token of a job's execution."""
        return cls(
            clock_offset=clock_offset,
            queue_key=job.started_job_registry.key,
            member=execution.composite_key,
            job_key=ExecutionRegistry.key_template.format(job.id),
            execution_id=execution.id,
        )

    def renew(self, connection: Redis) -> None:
        """Restore the entry in the job's registry, which expires while Redis is unavailable.

        Raises:
            ExecutionLostError: the execution is no longer ours.
        """
        if connection.zscore(self.queue_key, self.member) is None:
            raise ExecutionLostError(self.member)
        connection.zadd(self.job_key, {self.execution_id: current_timestamp() + _KEEP_S})
        connection.expire(self.job_key, _KEEP_S)

    def watch(self, pipe: Pipeline) -> None:
        """Make the pipeline's transaction depend on the token.

        Raises:
            ExecutionLostError: the execution is no longer ours.
        """
        pipe.watch(self.job_key)  # type: ignore[no-untyped-call] # redis-py
        if pipe.zscore(self.queue_key, self.member) is None or pipe.zscore(self.job_key, self.execution_id) is None:
            raise ExecutionLostError(self.member)


def owned(connection: Redis, job: Job, execution: Execution) -> bool:
    """Return whether the execution is still ours."""
    token = FencingToken.of(job, execution)
    return connection.zscore(token.queue_key, token.member) is not None


class FencedPipeline(Pipeline):
    """A pipeline whose transaction succeeds only while the token is valid."""

    token: FencingToken
    report: Callable[[RedisError], None]
    also: Callable[[Pipeline], None] | None = None

    def watch(self, *names: Any) -> Any:
        """Watch the names and the token."""
        watched = super().watch(*names)  # type: ignore[no-untyped-call] # redis-py
        if self.token.job_key not in names:
            self.token.watch(self)
        return watched

    def zadd(self, name: Any, mapping: Any, *options: Any, **more: Any) -> Any:
        """Add scores, which RQ takes from the clock of this machine, as Redis' clock would have them."""
        shifted = {member: _shifted(score, self.token.clock_offset) for member, score in mapping.items()}
        return super().zadd(name, shifted, *options, **more)

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Execute, with what `also` adds; report an error besides raising it, because RQ logs it and goes on."""
        try:
            if self.also is not None:
                self.also(self)
            return super().execute(raise_on_error)
        except RedisError as error:
            self.report(error)
            raise


class FencedConnection:
    """A connection for RQ's own bookkeeping, whose pipelines are fenced. `error` is that of the last pipeline.

    With `begun`, a pipeline is returned within a transaction that already watches the token; `also` adds commands
    to that transaction.
    """

    def __init__(
        self,
        connection: Redis,
        token: FencingToken,
        *,
        begun: bool,
        also: Callable[[Pipeline], None] | None = None,
    ) -> None:
        self.error: RedisError | None = None
        self.opened: FencedPipeline | None = None  # the last pipeline
        self._connection = connection
        self._token = token
        self._begun = begun
        self._also = also

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> FencedPipeline:
        """Return a fenced pipeline.

        Raises:
            ExecutionLostError: the execution is no longer ours.
        """
        connection = self._connection
        pipe = FencedPipeline(connection.connection_pool, connection.response_callbacks, transaction, shard_hint)
        pipe.token, pipe.report, pipe.also = self._token, self._note, self._also
        self.error = None
        if self._begun:
            self._token.watch(pipe)
            pipe.multi()
        self.opened = pipe
        return pipe

    def raise_error(self) -> None:
        """Raise the error of the last pipeline, which RQ may have swallowed."""
        if self.error is not None:
            raise self.error

    def _note(self, error: RedisError) -> None:
        self.error = error


@contextmanager
def status_in_transaction(job: Job, connection: Any) -> Iterator[None]:
    """Write the status of the job in the fenced transaction alone; RQ writes that of a delayed retry at once."""
    write = job.set_status

    def set_status(status: JobStatus, pipeline: Pipeline | None = None) -> None:
        write(status, pipeline=connection.opened if pipeline is None else pipeline)

    job.set_status = set_status  # type: ignore[method-assign] # of this one job
    try:
        yield
    finally:
        del job.set_status


@contextmanager
def without_delay(job: Job) -> Iterator[None]:
    """Make RQ's next retry of the job immediate; the delays of later ones stay as they are stored."""
    job.get_retry_interval = lambda: 0  # type: ignore[method-assign] # of this one job
    try:
        yield
    finally:
        del job.get_retry_interval


def until_unwatched(close: Callable[[], None], tries: int = 20) -> None:
    """Close an execution; try again if the token was touched meanwhile, which need not mean that it was taken.

    Raises:
        ExecutionLostError: the execution is no longer ours.
        redis.exceptions.RedisError: Redis failed.
    """
    for left in reversed(range(tries)):
        try:
            return close()
        except WatchError:
            if not left:
                raise
    return None


def _shifted(score: Any, offset: float) -> Any:
    """Return a time in s by Redis' clock; other scores, such as `+inf`, stay."""
    return score + round(offset) if isinstance(score, int | float) and math.isfinite(score) else score
