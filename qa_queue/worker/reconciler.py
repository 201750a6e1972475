"""The reconciler: compares the runs that have not ended with Redis, and restores or ends what is not in step.

A run's row is the acknowledgement of its submission. Redis may lose the job: by FLUSHALL, a truncated append-only
file, an empty replica that is promoted, an old dump, eviction. Then the job is enqueued again from the ledger.
Redis may also have ended a job whose row does not say so: then the row is ended. Decisions are pure (`problem_of`).
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from enum import Enum
from operator import attrgetter
from typing import Any

from redis import Redis

from qa_queue.models import ErrorKind, QueueName, RunStatus, utc_now
from qa_queue.models.outcomes import FAILURES, FailureKind
from qa_queue.monitoring.heartbeats import OUTBOX_FIELD
from qa_queue.queues.attempts import AttemptLog
from qa_queue.queues.dead_letters import DeadLetters
from qa_queue.queues.jobs import FAILURE_TTL_S
from qa_queue.queues.reconciliation import (
    ENDED_STATUSES,
    JobState,
    LostJob,
    read_states,
    rejected_among,
    restore_dead_letter,
    restore_jobs,
    result_of,
    submissions_under_way,
)
from qa_queue.settings import Settings
from qa_queue.store.ledger import LedgerEntry, OpenRun
from qa_queue.store.protocol import RunStore
from qa_queue.worker.keyed_jobs import KeyedJobs, lost_job

log = logging.getLogger(__name__)

HOLDER_KEY = "qa:reconciler"
EPOCH_KEY = "qa:reconciler:epoch"  # lost with everything else
_HOLD_MS = 6000  # three turns; of one that was killed
_KEEP_CLAIM_S = 24 * 3600
_KEEP_ENTRY = timedelta(days=8)  # longer than dead letters, which can be requeued
_PRUNE_S = 3600.0
_INTERRUPTED_S = 60.0  # after which a submission that has not been completed never will be
_QUEUE = QueueName.TEST_EXECUTION
_LOST_TEXT = (
    "Redis has lost the job of this run, and the ledger has no readable entry to restore it from, as of runs that "
    "an earlier version submitted: submit the run again"
)
_INTERRUPTED_TEXT = "its submission was interrupted before all of its runs were recorded; none of them was enqueued"


class Problem(Enum):
    """A difference between a run's row and its job."""

    LOST = "lost"  # a run that waits has no job, or its job is in no place
    LOST_RUNNING = "lost running"  # so has one that runs
    CANCELLED = "cancelled"  # its job was cancelled
    FINISHED = "finished"  # its job has a result
    DEAD = "dead"  # its job is a dead letter
    HALF_REQUEUED = "half requeued"  # so it is, and the row was reopened for a requeue


# Seconds after which a problem is settled. Until then it may be a step of a process that works, because rows and
# jobs do not change at the same moment. A worker notices a lost job at its next heartbeat and stops; results may
# wait in an outbox, from which a worker stores more than the reconciler knows.
PATIENCE_S = {
    Problem.LOST: 5.0,
    Problem.LOST_RUNNING: 7.0,
    Problem.CANCELLED: 5.0,
    Problem.FINISHED: 10.0,
    Problem.DEAD: 10.0,
    Problem.HALF_REQUEUED: 10.0,
}


# The same while a worker reports rows in its outbox, of which one may be the end of the run. A request to the
# database on a dead connection ends after 20 s; a lost job is to be enqueued again within 30 s.
OUTBOX_PATIENCE_S = {Problem.LOST: 22.0, Problem.LOST_RUNNING: 22.0, Problem.FINISHED: 120.0}


def problem_of(run: OpenRun, state: JobState) -> Problem | None:
    """Return the difference between the row of a run that has not ended and its job; None if they are in step."""
    if state.unstored:
        return None  # a worker stores the outcome
    if state.status is None or (state.status not in ENDED_STATUSES and not state.placed):
        return Problem.LOST if run.status is RunStatus.QUEUED else Problem.LOST_RUNNING
    if state.status not in ENDED_STATUSES:
        return None
    if state.status == "canceled":
        return Problem.CANCELLED
    if state.status == "finished":
        return Problem.FINISHED
    return Problem.HALF_REQUEUED if run.requeues > state.requeues else Problem.DEAD


class ProblemLog:
    """The time at which each problem was first seen, on a monotonic clock."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[Problem, float]] = {}

    def due(self, problems: Mapping[str, Problem], now: float) -> dict[str, Problem]:
        """Return the problems that have lasted long enough; forget those that are gone."""
        self._since = {
            run_id: known if (known := self._since.get(run_id)) and known[0] is problem else (problem, now)
            for run_id, problem in problems.items()
        }
        return {
            run_id: problem
            for run_id, (problem, since) in self._since.items()
            if now - since >= PATIENCE_S[problem]
        }

    def lasted(self, run_id: str, now: float) -> float:
        """Return the seconds for which the present problem of a run has been seen."""
        return now - self._since[run_id][1]


class Reconciler:
    """Keeps runs and their jobs in step; of all processes that call `run`, one does it."""

    def __init__(
        self,
        connection: Redis,
        store: RunStore,
        settings: Settings,
        *,
        name: str,
        clock: Callable[[], float] = time.monotonic,
        connection_of: Callable[[str], Redis] | None = None,
    ) -> None:
        self._connection = connection
        self._keyed = KeyedJobs(
            connection_of or (lambda _: connection),
            store,
            instance=settings.qa_instance,
            default_attempts=settings.queue_max_attempts,
        )
        self._store = store
        self._attempts = settings.queue_max_attempts
        self._instance = settings.qa_instance
        self._foreign: frozenset[str] = frozenset()  # runs of other services that share the database
        self._name = name
        self._clock = clock
        self._problems = ProblemLog()
        self._server = ""  # identity of the Redis whose dead letters and claims are complete
        self._prune_at = 0.0

    def run(self) -> int:
        """Settle what is due; return the number of runs that were settled.

        Raises:
            StoreError, redis.exceptions.RedisError: a part failed; the next call continues.
        """
        if not self._holds():
            return 0
        unfinished = self._store.ledger.open_runs()
        self._foreign &= {run.id for run in unfinished}
        runs = {run.id: run for run in unfinished if run.id not in self._foreign}
        states = read_states(self._connection, _QUEUE, list(runs))
        found = {run_id: problem_of(run, states[run_id]) for run_id, run in runs.items()}
        now = self._clock()
        problems = {run_id: one for run_id, one in found.items() if one is not None}
        for run_id in self._delete_rejected([run_id for run_id, one in problems.items() if one is Problem.LOST]):
            del problems[run_id]
        due = self._problems.due(problems, now)
        self._settle({runs[run_id]: problem for run_id, problem in due.items()}, now)
        jobs = {entry.id for entry in self._keyed.settle(now)}
        self._restore_ended({*runs, *jobs})
        self._prune({run.id for run in unfinished} | jobs, now)
        return len(due)

    def _holds(self) -> bool:
        redis = self._connection
        if redis.set(HOLDER_KEY, self._name, nx=True, px=_HOLD_MS):
            return True
        return redis.get(HOLDER_KEY) == self._name.encode() and bool(redis.pexpire(HOLDER_KEY, _HOLD_MS))

    def _settle(self, due: Mapping[OpenRun, Problem], now: float) -> None:
        early = {run for run, problem in due.items() if self._is_early(run, problem, now)}
        if early and self._rows_wait():
            due = {run: problem for run, problem in due.items() if run not in early}
        self._restore([run for run, problem in due.items() if problem in (Problem.LOST, Problem.LOST_RUNNING)], now)
        for run, problem in due.items():
            match problem:
                case Problem.CANCELLED:
                    self._end(run, RunStatus.CANCELLED, "Cancelled before it started", ErrorKind.CANCELLED)
                case Problem.FINISHED:
                    self._end_as(run, result_of(self._connection, run.id))
                case Problem.DEAD:
                    self._end_dead(run)
                case Problem.HALF_REQUEUED:
                    DeadLetters(self._connection).requeue(run.id)
                    log.warning("Completed the requeue of run %s, which was interrupted", run.id)

    def _is_early(self, run: OpenRun, problem: Problem, now: float) -> bool:
        """Return whether a problem is not to be settled yet if rows wait in an outbox."""
        return self._problems.lasted(run.id, now) < OUTBOX_PATIENCE_S.get(problem, 0.0)

    def _rows_wait(self) -> bool:
        """Return whether a worker reports rows in its outbox: they say more of a run than its job in Redis."""
        with self._connection.pipeline(transaction=False) as pipe:
            for key in self._connection.smembers("rq:workers"):
                pipe.hget(key, OUTBOX_FIELD)
            return any(int(size or 0) for size in pipe.execute())

    def _restore(self, lost: Sequence[OpenRun], now: float) -> None:
        entries = self._store.ledger.entries([run.id for run in lost])
        lost = [run for run in lost if self._is_own(run.id, entries.get(run.id))]
        under_way = submissions_under_way(self._connection, sorted({entry.last_id for entry in entries.values()}))
        lost = [run for run in lost if (found := entries.get(run.id)) is None or found.last_id not in under_way]
        rejected = self._delete_rejected([run.id for run in lost])  # one is marked before it is no longer under way
        lost = [run for run in lost if run.id not in rejected]
        interrupted = self._interrupted(entries.values())
        jobs = []
        for run in lost:
            entry = entries.get(run.id)
            if entry is not None and entry.last_id in interrupted:
                self._end_interrupted(run, now)
            elif entry is not None and (job := _lost_run(entry, run, self._attempts)) is not None:
                jobs.append(job)
            else:
                self._end(run, RunStatus.DEAD, _LOST_TEXT, ErrorKind.INFRASTRUCTURE)
        restored = restore_jobs(self._connection, _QUEUE, jobs, default_attempts=self._attempts)
        if restored:
            log.warning("Enqueued %d runs again, whose jobs Redis has lost", len(restored))

    def _delete_rejected(self, lost: Sequence[str]) -> set[str]:
        """Delete what rejected submissions have left, because the database failed when they were to be undone.

        It is done at once: Redis may lose the marks. Returns their ids.
        """
        rejected = rejected_among(self._connection, lost)
        if rejected:
            self._store.ledger.remove(sorted(rejected))
            self._store.delete_runs(sorted(rejected))
            log.warning("Deleted %d runs of submissions that were rejected", len(rejected))
        return rejected

    def _is_own(self, run_id: str, entry: LedgerEntry | None) -> bool:
        """Return whether a run was submitted to this service; remember those that were not."""
        own = (entry.instance if entry is not None else "") == self._instance
        self._foreign |= set() if own else {run_id}
        return own

    def _end_interrupted(self, run: OpenRun, now: float) -> None:
        if self._problems.lasted(run.id, now) >= _INTERRUPTED_S:
            self._end(run, RunStatus.CANCELLED, _INTERRUPTED_TEXT, ErrorKind.CANCELLED)

    def _interrupted(self, entries: Iterable[LedgerEntry]) -> set[str]:
        """Return the last ids of submissions whose last run has an entry and no row: they were not completed."""
        last_ids = sorted({entry.last_id for entry in entries})
        rows = self._store.existing_runs(last_ids)
        return self._store.ledger.entries([last for last in last_ids if last not in rows]).keys() - rows

    def _end_as(self, run: OpenRun, result: Any) -> None:
        fields = result if isinstance(result, dict) else {}
        status = _status(fields.get("status"))
        counts = ("total_steps", "completed_steps", "failed_steps", "adapted_steps", "flaky")
        known = {name: fields[name] for name in counts if fields.get(name) is not None}
        kind = fields.get("error_kind")
        self._end(run, status, fields.get("error"), ErrorKind(kind) if kind else None, **known)

    def _end_dead(self, run: OpenRun) -> None:
        attempts = AttemptLog(self._connection).read(run.id)
        kind = FailureKind(attempts[-1].kind) if attempts else FailureKind.INFRASTRUCTURE
        end = FAILURES[kind]
        self._end(run, end.status, attempts[-1].error if attempts else "its job failed", end.error_kind)

    def _end(
        self, run: OpenRun, status: RunStatus, error: str | None, kind: ErrorKind | None, **fields: Any
    ) -> None:
        fields |= {"status": status, "error": error, "error_kind": kind, "finished_at": utc_now()}
        self._store.update_run(run.id, **fields)
        log.warning("Run %s is %s: its row did not say so (%s)", run.id, status.value, error or "its job has ended")

    def _restore_ended(self, unfinished: Collection[str]) -> None:
        """Restore dead letters and idempotency claims, once for each Redis that may have lost them."""
        server = str(self._connection.info("server")["run_id"])
        if self._server == server and self._connection.exists(EPOCH_KEY):
            return
        # Older submissions have no entry.
        submitted = utc_now() - _KEEP_ENTRY
        dead = self._store.list_runs(statuses=(RunStatus.DEAD,), queued_since=submitted, limit=sys.maxsize)
        since = utc_now() - timedelta(seconds=FAILURE_TTL_S)
        recent = {run.id: run for run in dead if run.finished_at is not None and run.finished_at > since}
        missing = [
            job_id
            for job_id, state in read_states(self._connection, _QUEUE, list(recent)).items()
            if state.status is None
        ]
        entries = self._store.ledger.entries(missing)
        for entry in (entry for entry in entries.values() if entry.instance == self._instance):
            run = recent[entry.id]
            opened = OpenRun(id=run.id, status=run.status, fence=run.fence, requeues=run.requeues)
            if (job := _lost_run(entry, opened, self._attempts)) is not None:
                restore_dead_letter(
                    self._connection,
                    _QUEUE,
                    job,
                    error=run.error or "",
                    died_at=run.finished_at or utc_now(),
                    default_attempts=self._attempts,
                )
        self._restore_claims(unfinished)
        self._connection.set(EPOCH_KEY, 1)
        self._server = server

    def _restore_claims(self, unfinished: Collection[str]) -> None:
        # The newest first: it has the key that older ones had before.
        for entry in sorted(self._store.ledger.with_claims(), key=attrgetter("submitted_at"), reverse=True):
            if entry.instance != self._instance or entry.queue != _QUEUE:
                continue  # those of other queues come with their jobs
            claim = entry.spec.get("claim") or {}
            if {"key", "final", "keep_s"} <= claim.keys():
                keep = claim["keep_s"] if entry.id in unfinished else _KEEP_CLAIM_S
                self._connection.set(claim["key"], claim["final"], nx=True, ex=keep)

    def _prune(self, unfinished: Collection[str], now: float) -> None:
        if now < self._prune_at:
            return
        old = self._store.ledger.oldest(utc_now() - _KEEP_ENTRY, limit=1000)
        self._store.ledger.remove([entry.id for entry in old if entry.id not in unfinished])
        self._prune_at = now + _PRUNE_S


def _lost_run(entry: LedgerEntry, run: OpenRun, default_attempts: int) -> LostJob | None:
    """Return the job to restore; None if the entry cannot be read.

    The attempt that ran is not used up. A requeued run gets as many attempts as it may have had left, because the
    executions before its requeue are numbered on.
    """
    if (lost := lost_job(entry)) is None:
        return None
    failed = max(0, run.fence - 1) if run.status is RunStatus.RUNNING else run.fence
    attempts = (lost.spec.attempts or default_attempts) * (1 + run.requeues)
    return replace(lost, executions=run.fence, requeues=run.requeues, retries_left=max(0, attempts - 1 - failed))


def _status(text: Any) -> RunStatus:
    """Return the status of a job's result; a processor that returns none has completed."""
    return RunStatus(text) if text in list(RunStatus) else RunStatus.COMPLETED
