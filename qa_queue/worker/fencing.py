"""Closing an execution's books only while it is ours.

A worker that missed its heartbeats loses its executions to another worker. The token that tells is the execution's
id in RQ's registries: who takes over removes it there, in the transaction in which it closes the books. So the
books are closed in a transaction that Redis refuses when the job's registry of executions has changed since we
looked, which makes check and close one step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError, WatchError
from rq.executions import ExecutionRegistry
from rq.utils import current_timestamp

from qa_queue.worker.slots import Slot

_KEEP_S = 60


class LostError(Exception):
    """The execution was taken over by another worker, which has closed its books or will."""


@dataclass(frozen=True, kw_only=True)
class Token:
    """Where an execution stands while it is open: in the queue's registry and in that of its job."""

    queue_key: str
    member: str
    job_key: str
    execution_id: str

    @classmethod
    def of(cls, slot: Slot) -> Token:
        """The token of this execution."""
        return cls(
            queue_key=slot.job.started_job_registry.key,
            member=slot.execution.composite_key,
            job_key=ExecutionRegistry.key_template.format(slot.job.id),
            execution_id=slot.execution.id,
        )

    def renew(self, connection: Redis) -> None:
        """Have it stand in both registries; that of the job expires while Redis is away.

        Raises:
            LostError: the execution is no longer ours.
        """
        if connection.zscore(self.queue_key, self.member) is None:
            raise LostError(self.member)
        connection.zadd(self.job_key, {self.execution_id: current_timestamp() + _KEEP_S})
        connection.expire(self.job_key, _KEEP_S)

    def watch(self, pipe: Pipeline) -> None:
        """Tie the pipeline's transaction to the token.

        Raises:
            LostError: the execution is no longer ours.
        """
        pipe.watch(self.job_key)  # type: ignore[no-untyped-call] # redis-py
        if pipe.zscore(self.queue_key, self.member) is None or pipe.zscore(self.job_key, self.execution_id) is None:
            raise LostError(self.member)


def owned(connection: Redis, slot: Slot) -> bool:
    """Whether the execution is still ours."""
    token = Token.of(slot)
    return connection.zscore(token.queue_key, token.member) is not None


class FencedPipeline(Pipeline):
    """A pipeline whose transaction goes through only while the token holds."""

    token: Token
    report: Callable[[RedisError], None]

    def watch(self, *names: Any) -> Any:
        """Watch the names, and the token with them."""
        watched = super().watch(*names)  # type: ignore[no-untyped-call] # redis-py
        if self.token.job_key not in names:
            self.token.watch(self)
        return watched

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Execute; what went wrong is reported besides, for RQ logs it and goes on."""
        try:
            return super().execute(raise_on_error)
        except RedisError as error:
            self.report(error)
            raise


class FencedConnection:
    """A connection for RQ's own bookkeeping, whose pipelines are fenced. `error` is what the last one met.

    With `begun`, a pipeline comes in the middle of a transaction that already watches the token.
    """

    def __init__(self, connection: Redis, token: Token, *, begun: bool) -> None:
        self.error: RedisError | None = None
        self._connection = connection
        self._token = token
        self._begun = begun

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> FencedPipeline:
        """A fenced pipeline.

        Raises:
            LostError: the execution is no longer ours.
        """
        connection = self._connection
        pipe = FencedPipeline(connection.connection_pool, connection.response_callbacks, transaction, shard_hint)
        pipe.token, pipe.report = self._token, self._note
        self.error = None
        if self._begun:
            self._token.watch(pipe)
            pipe.multi()
        return pipe

    def raise_noted(self) -> None:
        """Raise what a pipeline met, whoever swallowed it."""
        if self.error is not None:
            raise self.error

    def _note(self, error: RedisError) -> None:
        self.error = error


def until_unwatched(close: Callable[[], None], tries: int = 20) -> None:
    """Close the books; again when somebody touched the token meanwhile, which need not have taken it.

    Raises:
        LostError: the execution is no longer ours.
        redis.exceptions.RedisError: Redis failed.
    """
    for left in reversed(range(tries)):
        try:
            return close()
        except WatchError:
            if not left:
                raise
    return None
