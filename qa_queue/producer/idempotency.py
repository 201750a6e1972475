"""One run for one idempotency key and case: who claims it first submits it, the others get that run.

A claim is pending while its run is being recorded, and final from the very step that enqueues the job. Who meets a
pending one waits for what becomes of it, so nobody is given a run that never comes; a claim whose submitter died is
free again when its lease ends. A final one lasts until 24 h after the end of the job.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis import Redis

from qa_queue.errors import IdempotencyBusyError, IdempotencyConflictError
from qa_queue.queues.enqueue import EnqueueClaim
from qa_queue.redis.scripts import LuaScript

LEASE_S = 60  # how long a submission may take
PATIENCE_S = 30.0  # how long another waits for it
KEEP_S = 30 * 24 * 3600  # of a job that has not ended; NOTE shortens it at the end
LOOK_AGAIN_S = 0.05


@dataclass(frozen=True, kw_only=True)
class IdempotencyClaim:
    """A claim that a run wants; `digest` is that of everything that the run was asked to do."""

    run_id: str
    key: str
    digest: str
    label: str = ""

    @property
    def claim(self) -> EnqueueClaim:
        """The claim as enqueueing makes it final, to last beyond `KEEP_S` of waiting."""
        what = f"{self.run_id}|{self.digest}"
        return EnqueueClaim(key=self.key, pending=f"pending|{what}", final=f"final|{what}", keep_s=KEEP_S)


_CLAIM = LuaScript.load("qa_queue.queues", "claim")
_RELEASE = LuaScript.load("qa_queue.queues", "release_claims")


def claim_key(idempotency_key: str, case_id: str) -> str:
    """Where a claim stands; hashed, so that a key may be any text."""
    name = hashlib.sha256(f"{case_id}\0{idempotency_key}".encode()).hexdigest()
    return f"qa:idempotency:{name}"


def claim(
    connection: Redis, wanted: Sequence[IdempotencyClaim], *, patience_s: float = PATIENCE_S
) -> dict[str, str]:
    """Claim all of these, for as long as the submission may take; returns `{run id: run id that holds its claim}`.

    Atomic: of any number of racers, one finds its own run id, and the others, once it is enqueued, that one's. Two
    of `wanted` with one key get the first one's run.

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
    return {one.run_id: holders[one.key] for one in wanted}


def release(connection: Redis, claims: Mapping[str, str]) -> None:
    """Give up claims, `{run id: claim key}`, of runs that were not submitted after all."""
    if claims:
        _RELEASE.run(connection, list(claims.values()), list(claims))


def _try(connection: Redis, wanted: Sequence[IdempotencyClaim]) -> dict[str, str] | None:
    """`{claim key: run id that holds it}`; None while one is pending for another."""
    if not wanted:
        return {}
    arguments = [part for one in wanted for part in (one.run_id, one.digest)]
    answer = _CLAIM.run(connection, [one.key for one in wanted], [LEASE_S, *arguments])
    if answer[0] == b"conflict":
        raise _conflict(wanted[answer[1] - 1])
    if answer[0] == b"busy":
        return None
    return {one.key: holder.decode() for one, holder in zip(wanted, answer[1], strict=True)}


def _conflict(one: IdempotencyClaim) -> IdempotencyConflictError:
    return IdempotencyConflictError(
        f"The idempotency key of {one.label or one.run_id} was used for another submission: the same case with "
        "other values, or with another definition. Send what was sent then, or use a new key."
    )
