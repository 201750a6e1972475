"""Recovery of what dead workers left: jobs not started, jobs without heartbeats, outcomes that are not stored."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.exceptions import NoSuchJobError
from rq.executions import Execution
from rq.job import JobStatus
from rq.utils import as_text

from qa_queue.models.outcomes import FailureKind
from qa_queue.queues.dequeue import ReservedJob, acknowledge, release
from qa_queue.queues.keys import JOB_PREFIX, PROCESS_FIELD
from qa_queue.queues.reconciliation import forget_record, unstored_records
from qa_queue.worker.executions import ActiveJob, EndedJob, adopt_execution
from qa_queue.worker.ipc import Abandon, ChildFailure, RecordRequest, Release, decode, encode
from qa_queue.worker.verdicts import RequeueJob, judge

log = logging.getLogger(__name__)

HEARTBEAT_TTL = 15  # s for which the key of an execution outlives its last heartbeat
_UNSTARTED_S = 5.0  # after which a reserved job is released
_LOCK_MS = 1500  # one worker recovers a queue at a time; one that died holds up the others no longer than this
_GRACE_S = 3.0  # after an outage of Redis, in which running workers resume their heartbeats
_UNSTORED_S = 4.0  # after which an outcome is stored by a worker that did not close the job


@dataclass(frozen=True, kw_only=True)
class Silence:
    """Time in s without a heartbeat after which an execution is taken over.

    `age` is that of the last heartbeat by Redis' clock, which a worker that has just started can read too. It also
    grows during an outage of Redis, so this worker must have `watched` for a part of it.
    """

    age: float
    watched: float


_SILENCE = Silence(age=6.0, watched=3.0)  # five heartbeats
_ENDED_SILENCE = Silence(age=2.5, watched=0.9)  # where the worker's process, on this machine, has ended
_LOST = ChildFailure(
    kind=FailureKind.INFRASTRUCTURE, message="the worker that ran it is gone: it has sent no heartbeat"
)
_UNCONFIRMED = ChildFailure(kind=FailureKind.RETURNED, message="Redis' answer to its start was lost")


def process_token(pid: int) -> str:
    """Return a name of a process that is its own among all machines and times; empty where that cannot be known.

    Only processes of the same boot of a machine and the same PID namespace can tell whether it has ended.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = Path("/proc/self/ns/pid").readlink()
        return f"{boot}/{namespace}/{pid}/{_started(pid)}"
    except (OSError, IndexError):
        return ""


def has_ended(token: str) -> bool:
    """Return whether the process of a token is known to have ended."""
    machine, _, process = token.rpartition("/")
    machine, _, pid = machine.rpartition("/")
    if not process or not process_token(os.getpid()).startswith(f"{machine}/"):
        return False
    try:
        return _started(int(pid)) != process
    except FileNotFoundError:
        return True
    except (OSError, IndexError):
        return False


def _started(pid: int) -> str:
    """Return the kernel's time of a process's start; `ended` for one that its parent has not waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return "ended" if fields[0] in "ZX" else fields[19]


@dataclass(frozen=True)
class _Heartbeat:
    """The last heartbeat of an execution, when it was first seen (monotonic, s), and the worker that sent it."""

    score: float
    since: float
    worker: str
    process: str

    def silent(self, now: float, age: float) -> bool:
        """Return whether it is too long ago; `age` is that of the heartbeat by Redis' clock, in s."""
        watched = now - self.since
        age = max(age, watched)
        if age >= _SILENCE.age and watched >= _SILENCE.watched:
            return True
        return age >= _ENDED_SILENCE.age and watched >= _ENDED_SILENCE.watched and has_ended(self.process)


class StalledJobRecovery:
    """Finds stalled jobs of some queues for the worker of this name.

    A worker runs as long as its heartbeats change; the times in them are ignored, because clocks differ.
    """

    def __init__(self, connection: Redis, queues: Sequence[Queue], worker_name: str) -> None:
        self._connection = connection
        self._queues = queues
        self._worker_name = worker_name
        self._entries: dict[str, list[str]] = {}  # of the registries at the last look, by queue
        self._unstarted: dict[tuple[str, str], float] = {}  # by queue and job: when it was first seen
        self._heartbeats: dict[str, _Heartbeat] = {}  # by entry of the registry
        self._resume_at = 0.0

    def pause(self, now: float) -> None:
        """Wait until running workers have had time to send heartbeats: Redis was unavailable."""
        self._resume_at = now + _GRACE_S
        self._heartbeats.clear()

    def recover(self, now: float, own: Collection[str] = ()) -> list[EndedJob]:
        """Release reserved jobs that were never started; return those whose worker has died, to be closed.

        `own` are the entries of the executions that this worker has. Others under its name were opened by a request
        whose answer was lost: those jobs are requeued, because they never ran.

        Raises:
            redis.exceptions.RedisError: Redis failed.
        """
        self._look(now)
        if now < self._resume_at:
            return []
        ended = []
        for queue in self._queues:
            self._release_unstarted(queue, now)
            entries = self._entries[queue.name]
            unconfirmed = [entry for entry in entries if self._is_unconfirmed(entry, own)]
            ended += self._take_over(queue, unconfirmed, unconfirmed=True)
            silent = self._silent([one for one in entries if one not in unconfirmed], now)
            if silent and self._lock(queue):
                ended += self._take_over(queue, silent)
        return ended

    def _is_unconfirmed(self, entry: str, own: Collection[str]) -> bool:
        return self._heartbeats[entry].worker == self._worker_name and entry not in own

    def _silent(self, entries: Sequence[str], now: float) -> list[str]:
        """Return the entries whose last heartbeat is too long ago."""
        watched = [one for one in entries if now - self._heartbeats[one].since >= _ENDED_SILENCE.watched]
        ages = self._ages(watched)
        return [one for one in watched if self._heartbeats[one].silent(now, ages[one])]

    def _ages(self, entries: Sequence[str]) -> dict[str, float]:
        """Return the time in s since the last heartbeat of each entry, which the life of its key tells."""
        with self._connection.pipeline(transaction=False) as pipe:
            for entry in entries:
                pipe.pttl(Execution.from_composite_key(entry, self._connection).key)
            left = pipe.execute() if entries else []
        return {entry: HEARTBEAT_TTL - max(0, ms) / 1000 for entry, ms in zip(entries, left, strict=True)}

    def _lock(self, queue: Queue) -> bool:
        key = f"qa:janitor:{queue.name}"  # prose: allow - workers of earlier versions use the key too
        return bool(self._connection.set(key, 1, nx=True, px=_LOCK_MS))

    def _look(self, now: float) -> None:
        """Read the registries, and the workers of entries that are new."""
        seen: dict[str, _Heartbeat] = {}
        for queue in self._queues:
            entries: Any = self._connection.zrange(queue.started_job_registry.key, 0, -1, withscores=True)
            scores = {str(as_text(entry)): float(score) for entry, score in entries}
            workers = self._workers([entry for entry in scores if entry not in self._heartbeats])
            for entry, score in scores.items():
                known = self._heartbeats.get(entry)
                worker, process = (known.worker, known.process) if known else workers[entry]
                since = known.since if known and known.score == score else now
                seen[entry] = _Heartbeat(score, since, worker, process)
            self._entries[queue.name] = list(scores)
        self._heartbeats = seen

    def _workers(self, entries: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return the name of the worker of each entry, and the token of its process."""
        names = self._texts([(f"{JOB_PREFIX}{entry.partition(':')[0]}", "worker_name") for entry in entries])
        tokens = self._texts([(f"{Worker.redis_worker_namespace_prefix}{name}", PROCESS_FIELD) for name in names])
        return dict(zip(entries, zip(names, tokens, strict=True), strict=True))

    def _texts(self, fields: Sequence[tuple[str, str]]) -> list[str]:
        """Return fields of hashes; an empty text for one that is missing or not a hash."""
        with self._connection.pipeline(transaction=False) as pipe:
            for key, field in fields:
                pipe.hget(key, field)
            found = pipe.execute(raise_on_error=False) if fields else []
        return ["" if value is None or isinstance(value, Exception) else str(as_text(value)) for value in found]

    def _release_unstarted(self, queue: Queue, now: float) -> None:
        ids = {str(as_text(i)) for i in self._connection.lrange(queue.intermediate_queue_key, 0, -1)}
        seen = {(queue.name, job_id) for job_id in ids}
        kept = {key: at for key, at in self._unstarted.items() if key[0] != queue.name or key in seen}
        self._unstarted = dict.fromkeys(seen, now) | kept
        for key in seen:
            if now - self._unstarted[key] >= _UNSTARTED_S:
                self._release(queue, key[1])

    def _release(self, queue: Queue, job_id: str) -> None:
        reserved = ReservedJob(job_id=job_id, queue=queue.name)
        if job_id in queue.started_job_registry:
            acknowledge(self._connection, reserved)
        elif release(self._connection, reserved):
            log.warning("Requeued job %s: the worker that had reserved it died before the job started", job_id)

    def _take_over(self, queue: Queue, entries: Sequence[str], *, unconfirmed: bool = False) -> list[EndedJob]:
        ended = []
        for composite in entries:
            execution = Execution.from_composite_key(composite, self._connection)
            active = self._adopt(queue, execution)
            if active is None:
                self._connection.zrem(queue.started_job_registry.key, composite)
            elif unconfirmed:
                ended.append(EndedJob(active=active, verdict=RequeueJob(failure=_UNCONFIRMED)))
            else:
                log.warning("The worker of job %s is gone", execution.job_id)
                verdict = judge(_LOST, retries_left=active.job.retries_left or 0, process_lost=True)
                ended.append(EndedJob(active=active, verdict=verdict))
        return ended

    def _adopt(self, queue: Queue, execution: Execution) -> ActiveJob | None:
        try:
            job = queue.job_class.fetch(execution.job_id, connection=self._connection, serializer=queue.serializer)
        except (NoSuchJobError, ValueError):
            return None
        if job.get_status(refresh=False) != JobStatus.STARTED:
            return None
        return adopt_execution(self._worker_name, job, queue, execution)


class UnstoredOutcomes:
    """Outcomes of jobs that are closed in Redis and not stored in the database yet, of all workers of some queues.

    The worker that closes a job has its child store the outcome. Where that fails, or the worker dies, any other
    worker does it.
    """

    def __init__(self, connection: Redis, queues: Sequence[str]) -> None:
        self._connection = connection
        self._queues = queues
        self._seen: dict[tuple[str, str], tuple[bytes, float]] = {}  # by queue and job: when it was first seen

    def due(self, now: float, recording: Collection[str]) -> list[RecordRequest]:
        """Return the outcomes that have not been stored for some seconds, except of the jobs in `recording`.

        Raises:
            redis.exceptions.RedisError: Redis failed.
        """
        found = {
            (queue, job_id): record
            for queue in self._queues
            for job_id, record in unstored_records(self._connection, queue).items()
        }
        known = {key: seen for key, seen in self._seen.items() if found.get(key) == seen[0]}
        self._seen = {key: (record, now) for key, record in found.items()} | known
        late = [key for key, (_, since) in self._seen.items() if now - since >= _UNSTORED_S]
        requests = [self._read(*key, found[key]) for key in late if key[1] not in recording]
        return [request for request in requests if request is not None]

    def forget(self, stored: Iterable[RecordRequest]) -> None:
        """Forget outcomes that are stored now; where Redis fails, they are stored a second time later."""
        with contextlib.suppress(RedisError):
            for request in stored:
                context = request.context
                forget_record(self._connection, context.queue, context.job_id, encode(request))

    def _read(self, queue: str, job_id: str, record: bytes) -> RecordRequest | None:
        with contextlib.suppress(ValidationError):
            message = decode(record)
            if isinstance(message, Abandon | Release):
                return message
        log.error("The outcome of job %s cannot be read; it is dropped: %r", job_id, record[:200])
        forget_record(self._connection, queue, job_id, record)
        return None
