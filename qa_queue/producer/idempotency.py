"""One job for one idempotency key: the first submission of a key makes the job, later ones get that job.

A claim is pending while its job is being recorded, and final from the very step that enqueues it. A submission that
meets a pending claim waits for its outcome, so no caller gets a job that never comes; the claim of a submitter that
died is free again when its lease ends. A final claim lasts until 24 h after the end of the job.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.errors import IdempotencyBusyError, IdempotencyConflictError, RedisUnavailableError
from qa_queue.queues.cancellation import request_cancel
from qa_queue.queues.jobs import EnqueueClaim
from qa_queue.redis import address_of, explain
from qa_queue.redis.scripts import LuaScript

log = logging.getLogger(__name__)

LEASE_S = 60  # how long a submission may take
PATIENCE_S = 30.0  # how long another waits for it
KEEP_S = 30 * 24 * 3600  # of a job that has not ended; NOTE shortens it at the end
LOOK_AGAIN_S = 0.05


@dataclass(frozen=True, kw_only=True)
class IdempotencyClaim:
    """A claim of a job; `digest` is that of everything that the job was asked to do."""

    job_id: str
    key: str
    digest: str
    label: str = ""

    @property
    def when_enqueued(self) -> EnqueueClaim:
        """The claim as enqueueing makes it final, to last beyond `KEEP_S` of waiting."""
        what = f"{self.job_id}|{self.digest}"
        return EnqueueClaim(key=self.key, pending=f"pending|{what}", final=f"final|{what}", keep_s=KEEP_S)


_CLAIM = LuaScript.load("qa_queue.queues", "claim")
_RELEASE = LuaScript.load("qa_queue.queues", "release_claims")


def claim_key(idempotency_key: str, case_id: str) -> str:
    """Return the Redis key of a claim; hashed, so that a key may be any text."""
    name = hashlib.sha256(f"{case_id}\0{idempotency_key}".encode()).hexdigest()
    return f"qa:idempotency:{name}"


def claim(
    connection: Redis, wanted: Sequence[IdempotencyClaim], *, patience_s: float = PATIENCE_S
) -> dict[str, str]:
    """Claim all of these, for as long as the submission may take; returns `{job id: job id that holds its claim}`.

    Atomic: of any number of racers, one finds its own job id, and the others, once it is enqueued, that one's. Two
    of `wanted` with one key get the first one's job.

    Raises:
        IdempotencyConflictError: a key was used for something else.
        IdempotencyBusyError: another submission has not ended within `patience_s`.
    """
    first: dict[str, IdempotencyClaim] = {}
    for one in wanted:
        if first.setdefault(one.key, one).digest != one.digest:
            raise _conflict(one)
    distinct = list(first.values())
    deadline = time.monotonic() + patience_s
    while (holders := _try(connection, distinct)) is None:
        if time.monotonic() > deadline:
            raise IdempotencyBusyError(
                f"Another submission with this idempotency key has not ended within {patience_s:g} s: try again."
            )
        time.sleep(LOOK_AGAIN_S)
    return {one.job_id: holders[one.key] for one in wanted}


def release(connection: Redis, claims: Mapping[str, str]) -> None:
    """Give up claims, `{job id: claim key}`, of jobs that were not submitted after all."""
    if claims:
        _RELEASE.run(connection, list(claims.values()), list(claims))


class Planned(Protocol):
    """A job that is about to be submitted."""

    @property
    def job_id(self) -> str:
        """The id that the job gets if it is new."""

    @property
    def claim(self) -> IdempotencyClaim | None:
        """The claim that it needs, if its request has an idempotency key."""


P = TypeVar("P", bound=Planned)


@dataclass(frozen=True, kw_only=True)
class Claimed(Generic[P]):
    """The result of claiming: `fresh` plans are to be submitted, the others exist already."""

    fresh: tuple[P, ...]
    holders: Mapping[str, str]

    def holder(self, plan: P) -> str:
        """Return the id of the job that holds the claim of a plan: its own if it is fresh."""
        return self.holders.get(plan.job_id, plan.job_id)


@contextmanager
def claimed(
    connection: Redis,
    plans: Sequence[P],
    *,
    existing: Callable[[Sequence[str]], Collection[str]] | None = None,
    undo: Callable[[Sequence[str]], None] | None = None,
) -> Iterator[Claimed[P]]:
    """Claim the idempotency keys of plans while the block records and enqueues the fresh ones.

    If the block raises, everything that it may have done is undone, for a lost reply can mean that Redis did it:
    the jobs, the claims, and by `undo` what else belongs to these ids. `existing` tells which of the holders still
    exist; the claim of another one is free again.

    Raises:
        IdempotencyConflictError, IdempotencyBusyError: as `claim`.
        RedisUnavailableError: Redis failed, in the block or before.
    """
    with explained(connection):
        claims = [plan.claim for plan in plans if plan.claim is not None]
        holders = _claim_existing(connection, claims, existing)
        fresh = tuple(plan for plan in plans if holders.get(plan.job_id, plan.job_id) == plan.job_id)
        try:
            yield Claimed(fresh=fresh, holders=holders)
        except BaseException:
            job_ids = [plan.job_id for plan in fresh]
            _forget(connection, job_ids, {one.job_id: one.key for one in claims})
            if undo is not None:
                undo(job_ids)
            raise


@contextmanager
def explained(connection: Redis) -> Iterator[None]:
    """Raise what Redis fails with as `RedisUnavailableError`."""
    try:
        yield
    except RedisError as error:
        raise RedisUnavailableError(explain(error, address_of(connection))) from error


def _claim_existing(
    connection: Redis,
    claims: Sequence[IdempotencyClaim],
    existing: Callable[[Sequence[str]], Collection[str]] | None,
) -> dict[str, str]:
    holders = claim(connection, claims)
    others = {one.key: holders[one.job_id] for one in claims if holders[one.job_id] != one.job_id}
    if not others or existing is None:
        return holders
    found = existing(sorted(set(others.values())))
    lost = {job_id: key for key, job_id in others.items() if job_id not in found}
    if not lost:
        return holders
    release(connection, lost)
    return claim(connection, claims)


def _forget(connection: Redis, job_ids: Sequence[str], claims: Mapping[str, str]) -> None:
    """Cancel jobs and release `{job id: claim key}`; an error is logged, because the first error counts."""
    try:
        request_cancel(connection, job_ids)
        release(connection, claims)
    except RedisError as error:
        log.warning("Redis could not be asked to forget %d jobs: %s", len(job_ids), error)


def _try(connection: Redis, wanted: Sequence[IdempotencyClaim]) -> dict[str, str] | None:
    """`{claim key: job id that holds it}`; None while one is pending for another."""
    if not wanted:
        return {}
    arguments = [part for one in wanted for part in (one.job_id, one.digest)]
    answer = _CLAIM.run(connection, [one.key for one in wanted], [LEASE_S, *arguments])
    if answer[0] == b"conflict":
        raise _conflict(wanted[answer[1] - 1])
    if answer[0] == b"busy":
        return None
    return {one.key: holder.decode() for one, holder in zip(wanted, answer[1], strict=True)}


def _conflict(one: IdempotencyClaim) -> IdempotencyConflictError:
    return IdempotencyConflictError(
        f"The idempotency key of {one.label or one.job_id} was used for another submission: the same case with "
        "other values, or with another definition. Send what was sent then, or use a new key."
    )
