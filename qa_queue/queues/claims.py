"""Idempotency claims: of all jobs with one idempotency key, one is enqueued.

A claim is pending while its job is being submitted, and final from the step on that enqueues the job. A pending
claim of a submitter that died expires; a final one is kept until 24 h after the end of the job.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis import Redis

from qa_queue.errors import IdempotencyConflictError
from qa_queue.queues.keys import IDEMPOTENCY_PREFIX
from qa_queue.redis.scripts import LuaScript

LEASE_S = 15  # the time for which a claim outlives a submission that has died; its run is restored before
RENEW_S = 2.0  # between renewals by a submission that lasts
KEEP_S = 30 * 24 * 3600  # of a job that has not ended; its end shortens it

_ACQUIRE = LuaScript.load("qa_queue.queues", "claim")
_RENEW = LuaScript.load("qa_queue.queues", "renew_claims")
_RELEASE = LuaScript.load("qa_queue.queues", "release_claims")


@dataclass(frozen=True, kw_only=True)
class EnqueueClaim:
    """A claim as enqueueing sees it: `key` must hold `pending` or `final`, and then holds `final` for `keep_s`."""

    key: str
    pending: str
    final: str
    keep_s: int


@dataclass(frozen=True, kw_only=True)
class IdempotencyClaim:
    """The claim that a job needs; `digest` is that of its content, and `label` names the job in messages."""

    job_id: str
    key: str
    digest: str
    label: str = ""

    @property
    def for_enqueue(self) -> EnqueueClaim:
        """The claim to make final, once it was acquired."""
        holder = f"{self.job_id}|{self.digest}"
        return EnqueueClaim(key=self.key, pending=f"pending|{holder}", final=f"final|{holder}", keep_s=KEEP_S)


def claim_key(idempotency_key: str, scope: str) -> str:
    """Return the key of a claim within a case or a queue, hashed because an idempotency key may be any text."""
    digest = hashlib.sha256(f"{scope}\0{idempotency_key}".encode()).hexdigest()
    return f"{IDEMPOTENCY_PREFIX}{digest}"


def acquire_claims(connection: Redis, claims: Sequence[IdempotencyClaim]) -> dict[str, str] | None:
    """Acquire all claims for 15 s, in one step; return the id of the job that holds each claim, by job id.

    Returns None, and acquires none, while another submission holds one of them. Of claims with one key, the first
    job holds it.

    Raises:
        IdempotencyConflictError: a key was used for other content.
    """
    first: dict[str, IdempotencyClaim] = {}
    for claim in claims:
        if first.setdefault(claim.key, claim).digest != claim.digest:
            raise _conflict(claim)
    if not first:
        return {}
    distinct = list(first.values())
    arguments = [part for claim in distinct for part in (claim.job_id, claim.digest)]
    state, *found = _ACQUIRE.run(connection, list(first), [LEASE_S, *arguments])
    if state == b"conflict":
        raise _conflict(distinct[found[0] - 1])
    if state == b"busy":
        return None
    holders = dict(zip(first, (job_id.decode() for job_id in found[0]), strict=True))
    return {claim.job_id: holders[claim.key] for claim in claims}


def renew_claims(connection: Redis, claims: Sequence[IdempotencyClaim]) -> None:
    """Let the claims of a submission that still lasts expire later; claims that are no longer its own are kept.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    _RENEW.run(connection, [claim.key for claim in claims], [LEASE_S, *(one.for_enqueue.pending for one in claims)])


def release_claims(connection: Redis, claims: Mapping[str, str]) -> None:
    """Release claims, `{job id: claim key}`, of jobs that were not submitted; claims of other jobs are kept."""
    if claims:
        _RELEASE.run(connection, list(claims.values()), list(claims))


def _conflict(claim: IdempotencyClaim) -> IdempotencyConflictError:
    return IdempotencyConflictError(
        f"The idempotency key of {claim.label or claim.job_id} was used for another submission, with other values "
        "or another definition. Submit the same content again, or use a new key."
    )
