"""Jobs of other queues than that of runs that have an idempotency key: restored from the ledger as runs are.

They have no row of their own, so their end is noted in the ledger. It is seen in Redis: a job that ended, and was
lost with everything else before the next look, runs again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import groupby

from redis import Redis
from rq.utils import as_text

from qa_queue.extensions import queue_names
from qa_queue.models import utc_now
from qa_queue.queues.jobs import parse_spec
from qa_queue.queues.reconciliation import (
    ENDED_STATUSES,
    JobState,
    LostJob,
    read_states,
    rejected_among,
    restore_jobs,
    submissions_under_way,
)
from qa_queue.store.ledger import LedgerEntry
from qa_queue.store.protocol import RunStore

log = logging.getLogger(__name__)

PATIENCE_S = 5.0
_ENDED_CLAIM_S = 24 * 3600  # the longest that the claim of a job is kept after its end


class KeyedJobs:
    """Keeps these jobs and the ledger of one service in step; used by one process at a time."""

    def __init__(
        self, connection_of: Callable[[str], Redis], store: RunStore, *, instance: str, default_attempts: int
    ) -> None:
        self._connection_of = connection_of
        self._store = store
        self._instance = instance
        self._attempts = default_attempts
        self._lost_since: dict[str, float] = {}

    def settle(self, now: float) -> list[LedgerEntry]:
        """Note the ends of jobs, and restore those that Redis has lost for some seconds; return the open entries.

        Raises:
            StoreError, redis.exceptions.RedisError: a part failed; the next call continues.
        """
        known = set(queue_names())
        entries = self._store.ledger.open_jobs()
        found = [entry for entry in entries if entry.instance == self._instance and entry.queue in known]
        lost: dict[str, float] = {}
        for queue, group in groupby(sorted(found, key=lambda one: one.queue), key=lambda one: one.queue):
            lost |= self._settle_queue(queue, list(group), now)
        self._lost_since = lost
        return found

    def _settle_queue(self, queue: str, entries: Sequence[LedgerEntry], now: float) -> dict[str, float]:
        """Return since when each job that is missing still has been missing."""
        connection = self._connection_of(queue)
        states = read_states(connection, queue, [entry.id for entry in entries])
        over = [entry for entry in entries if _is_over(states[entry.id])]
        missing = [entry for entry in entries if entry not in over and _is_missing(states[entry.id])]
        over += [entry for entry in missing if _ended_before(connection, entry)]
        self._store.save([entry.model_copy(update={"ended_at": utc_now()}) for entry in over])
        rejected = rejected_among(connection, [entry.id for entry in missing])
        self._store.ledger.remove(sorted(rejected))
        under_way = submissions_under_way(connection, sorted({entry.last_id for entry in missing}))
        skipped = rejected | {entry.id for entry in over}
        left = [one for one in missing if one.id not in skipped and one.last_id not in under_way]
        since = {entry.id: self._lost_since.get(entry.id, now) for entry in left}
        self._restore(connection, queue, [entry for entry in left if now - since[entry.id] >= PATIENCE_S])
        return since

    def _restore(self, connection: Redis, queue: str, entries: Sequence[LedgerEntry]) -> None:
        jobs = [job for entry in entries if (job := lost_job(entry)) is not None]
        if restored := restore_jobs(connection, queue, jobs, default_attempts=self._attempts):
            log.warning("Enqueued %d jobs of %s again, which Redis has lost", len(restored), queue)


def _is_over(state: JobState) -> bool:
    return state.status in ENDED_STATUSES or (state.status is None and state.ended)


def _is_missing(state: JobState) -> bool:
    """Return whether a job that has not ended is lost; one whose id still waits is restored in its place."""
    return state.status is None or not state.placed


def _ended_before(connection: Redis, entry: LedgerEntry) -> bool:
    """Return whether a job that is gone had ended: its end shortens the time for which its claim is kept."""
    claim = entry.spec.get("claim") or {}
    if "key" not in claim or as_text(connection.get(claim["key"]) or b"") != claim.get("final"):
        return False
    return 0 <= int(connection.ttl(claim["key"])) <= _ENDED_CLAIM_S


def lost_job(entry: LedgerEntry) -> LostJob | None:
    """Return the job to restore, as if it had never been taken; None if the entry cannot be read."""
    try:
        spec = parse_spec(entry.id, entry.queue, entry.spec)
    except ValueError as error:
        log.error("The ledger's entry of job %s cannot be read: %s", entry.id, error)  # noqa: TRY400 - complete
        return None
    arrival_us = spec.arrival_us or round(entry.submitted_at.timestamp() * 1_000_000) + entry.position
    return LostJob(spec=spec, arrival_us=arrival_us, executions=0, requeues=0)
