"""The frame of every submission: claim the idempotency keys, and undo everything if recording or enqueueing fails.

    with claimed(connection, plans) as claims:
        record(claims.fresh)
        queues.add(queue, [spec_of(plan) for plan in claims.fresh])
    return [claims.job_of(plan) for plan in plans]

A submission that meets a pending claim waits for its outcome, so that no caller receives a job that is never
enqueued.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.errors import IdempotencyBusyError, StoreError
from qa_queue.queues.cancellation import request_cancel
from qa_queue.queues.claims import (
    RENEW_S,
    IdempotencyClaim,
    acquire_claims,
    release_claims,
    renew_claims,
)
from qa_queue.queues.reconciliation import announce_submission, end_submission, mark_rejected
from qa_queue.redis import explained

log = logging.getLogger(__name__)

PATIENCE_S = 30.0  # the longest wait for another submission
_POLL_S = 0.05
_UNDO_PAUSES_S = (0.2, 0.5, 1.0)  # between attempts to delete what a failed submission has recorded
KEPT_NOTE = "Its rows could not be deleted: a scheduler deletes them once Supabase answers."
LEFT_NOTE = "Its rows could not be deleted, and Redis could not note it: what was recorded may run."


class Planned(Protocol):
    """A job that is being submitted, and the idempotency claim that it needs."""

    @property
    def job_id(self) -> str:
        """The id of the job."""

    @property
    def claim(self) -> IdempotencyClaim | None:
        """The claim; None without an idempotency key."""


P = TypeVar("P", bound=Planned)


@dataclass(frozen=True)
class ClaimedPlans(Generic[P]):
    """The claims of a submission: the plans that are `fresh` are to be recorded and enqueued, the others exist."""

    fresh: tuple[P, ...]
    holders: Mapping[str, str]

    def job_of(self, plan: P) -> str:
        """Return the id of the job that a plan gets: its own, or that of an earlier submission with its key."""
        return self.holders.get(plan.job_id, plan.job_id)


@contextmanager
def claimed(
    connection: Redis,
    plans: Sequence[P],
    *,
    existing: Callable[[Sequence[str]], Collection[str]] | None = None,
    undo: Callable[[Sequence[str]], str | None] | None = None,
) -> Iterator[ClaimedPlans[P]]:
    """Claim the plans for the body, which records and enqueues the fresh ones.

    `existing` returns those of the given jobs that exist still: a claim of a job that was deleted is free. When the
    body fails, the jobs are cancelled, the claims released, and `undo` is called with the ids of the fresh jobs;
    the error gets the note that it returns.

    Raises:
        IdempotencyConflictError: a key was used for other content.
        IdempotencyBusyError: another submission did not end within 30 s.
        RedisUnavailableError: Redis failed.
    """
    with explained(connection):
        connection.ping()  # nothing is recorded for a Redis that does not answer
        wanted = [plan.claim for plan in plans if plan.claim is not None]
        holders = _hold(connection, wanted, existing)
        fresh = tuple(plan for plan in plans if holders.get(plan.job_id, plan.job_id) == plan.job_id)
        try:
            own = [plan.claim for plan in fresh if plan.claim is not None]
            with repeated(lambda: renew_claims(connection, own)) if own else nullcontext():
                yield ClaimedPlans(fresh, holders)
        except BaseException as error:
            job_ids = [plan.job_id for plan in fresh]
            _withdraw(connection, job_ids, wanted)
            if undo is not None and (note := undo(job_ids)) is not None:
                error.add_note(note)
            raise


def await_claims(
    connection: Redis, claims: Sequence[IdempotencyClaim], *, patience_s: float = PATIENCE_S
) -> dict[str, str]:
    """Acquire all claims; return the id of the job that holds each claim, by job id.

    Of any number of racing submissions, one receives its own job id and the others, once it is enqueued, that
    one's.

    Raises:
        IdempotencyConflictError: a key was used for other content.
        IdempotencyBusyError: another submission did not end within `patience_s`.
    """
    deadline = time.monotonic() + patience_s
    while (holders := acquire_claims(connection, claims)) is None:
        if time.monotonic() > deadline:
            raise IdempotencyBusyError(
                f"Another submission with this idempotency key has not ended within {patience_s:g} s: try again."
            )
        time.sleep(_POLL_S)
    return holders


@contextmanager
def under_way(connection: Redis, last_id: str) -> Iterator[None]:
    """Let the reconciler leave what the block records without jobs alone; `last_id` is that of its last job.

    Raises:
        redis.exceptions.RedisError: Redis failed at the start.
    """

    def announce() -> None:
        announce_submission(connection, last_id)

    announce()
    with repeated(announce):
        yield
    with suppress(RedisError):
        end_submission(connection, last_id)


def withdraw_rows(connection: Redis, job_ids: Sequence[str], delete: Callable[[], object]) -> str | None:
    """Delete the rows of a failed submission by `delete`; return a note if rows may be left.

    A store that fails is asked again for 2 s. Where it still fails, the jobs are marked in Redis, so that the
    reconciler deletes what is left instead of restoring it. Failures are logged: the first error is to be raised.
    """
    if not job_ids:
        return None
    note = None
    if (failure := _failure_of(delete)) is not None:
        note = KEPT_NOTE if _mark(connection, job_ids) else LEFT_NOTE
        number = len(job_ids)
        log.warning("The rows of %d runs or jobs that were not enqueued may be left as queued: %s", number, failure)
    with suppress(RedisError):
        end_submission(connection, job_ids[-1])
    return note


def _failure_of(delete: Callable[[], object]) -> StoreError | None:
    """Delete, again where the store fails; return the last error, None if it was done."""
    failure = None
    for pause_s in (*_UNDO_PAUSES_S, None):
        try:
            delete()
        except StoreError as error:
            failure = error
        else:
            return None
        if pause_s is not None:
            time.sleep(pause_s)
    return failure


def _mark(connection: Redis, job_ids: Sequence[str]) -> bool:
    """Return whether Redis has noted that the submission of these jobs was rejected."""
    try:
        mark_rejected(connection, job_ids)
    except RedisError:
        return False
    return True


@contextmanager
def repeated(renew: Callable[[], None]) -> Iterator[None]:
    """Call `renew` every 2 s for as long as the block lasts, in a thread; a failure of Redis is ignored."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(RENEW_S):
            with suppress(RedisError):  # enqueueing checks whether claims still hold
                renew()

    thread = threading.Thread(target=run, name="renew", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _hold(
    connection: Redis,
    wanted: Sequence[IdempotencyClaim],
    existing: Callable[[Sequence[str]], Collection[str]] | None,
) -> dict[str, str]:
    holders = await_claims(connection, wanted)
    earlier = {claim.key: holders[claim.job_id] for claim in wanted if holders[claim.job_id] != claim.job_id}
    if existing is None or not earlier:
        return holders
    known = existing(sorted(set(earlier.values())))
    deleted = {job_id: key for key, job_id in earlier.items() if job_id not in known}
    if not deleted:
        return holders
    release_claims(connection, deleted)
    return await_claims(connection, wanted)


def _withdraw(connection: Redis, job_ids: Sequence[str], claims: Sequence[IdempotencyClaim]) -> None:
    """Cancel jobs that Redis may have although its reply was lost. Log a failure: the first error is raised."""
    try:
        request_cancel(connection, job_ids)
        release_claims(connection, {claim.job_id: claim.key for claim in claims})
    except RedisError as error:
        log.warning("%d jobs may stay enqueued, Redis could not be asked to cancel them: %s", len(job_ids), error)
