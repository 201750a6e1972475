"""The queue's scripts against a model of what they promise, in random order, on a clock of the test's own."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from redis import Redis
from redis.client import Pipeline, Script
from redis.connection import ConnectionPool
from rq import Worker
from rq.serializers import JSONSerializer

from qa_queue.models import Priority
from qa_queue.models.outcomes import FailureKind
from qa_queue.models.values import Backoff
from qa_queue.queues.cancellation import CancelOutcome, request_cancel
from qa_queue.queues.dead_letters import DeadLetters
from qa_queue.queues.dequeue import ReservedJob, dequeue, release
from qa_queue.queues.enqueue import BAND_US, LOW_AGEING_S, promote_due
from qa_queue.queues.keys import QueueKeys
from qa_queue.queues.priority_queue import PriorityQueue
from qa_queue.worker.bookkeeping import Bookkeeping
from qa_queue.worker.executions import ActiveJob, EndedJob
from qa_queue.worker.ipc import ChildFailure
from qa_queue.worker.stalled_jobs import StalledJobRecovery
from qa_queue.worker.verdicts import FinishJob, RequeueJob, judge
from qa_queue.worker.worker import QAWorker
from tests.support.queueing import QUEUE, add_specs, job_spec, manager

KEYS = QueueKeys(QUEUE)
LOCK = f"qa:janitor:{QUEUE}"  # prose: allow - the name of a key
ATTEMPTS, RETRY_S = 3, 5
ROUNDING_S = 1.5  # RQ keeps due times in whole seconds
US = 1_000_000
# Beyond the order by priority and arrival, LOW counts as NORMAL that came ten minutes later.
BASES = {
    Priority.URGENT: -2 * BAND_US,
    Priority.HIGH: -BAND_US,
    Priority.NORMAL: 0,
    Priority.LOW: LOW_AGEING_S * US,
}
BROKEN = ChildFailure(kind=FailureKind.INFRASTRUCTURE, message="the browser died")
RETURNED = ChildFailure(kind=FailureKind.RETURNED, message="the worker stops")


CLOCK = "test:clock"
# Put before each script: TIME is answered from a key, everything else by Redis.
SHIM = f"""
local real = redis
local redis = setmetatable({{call = function(name, ...)
  if name ~= 'TIME' then return real.call(name, ...) end
  local now = tonumber(real.call('GET', '{CLOCK}'))
  return {{string.format('%.0f', math.floor(now / 1000000)), string.format('%.0f', now % 1000000)}}
end}}, {{__index = real}})
"""


class ClockedPipeline(Pipeline):
    """A pipeline whose scripts see the clock of the test."""

    def eval(self, script: str, *arguments: Any) -> Any:
        return super().eval(SHIM + script, *arguments)


class ClockedRedis(Redis):
    """A connection to a real Redis, whose scripts see the clock of the test: `now_us`, in us."""

    @property
    def now_us(self) -> int:
        return int(self.get(CLOCK) or 0)

    @now_us.setter
    def now_us(self, value: int) -> None:
        self.set(CLOCK, value)

    def time(self, **_: Any) -> tuple[int, int]:
        return divmod(self.now_us, 1_000_000)

    def register_script(self, script: str) -> Script:
        return super().register_script(SHIM + script)

    def eval(self, script: str, *arguments: Any) -> Any:
        return super().eval(SHIM + script, *arguments)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> ClockedPipeline:
        return ClockedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


@dataclass
class Job:
    """A job as the model knows it: where it is, and its position there."""

    place: str  # waiting, reserved, delayed, running, finished, dead, cancelled
    score: int
    due: float = 0.0  # in s, while delayed
    failed: int = 0  # attempts since it was submitted or requeued
    begun: int = 0
    active: ActiveJob | None = None
    lost: bool = False  # its worker has died


@dataclass
class Model:
    """All jobs by id, and the latest time of arrival."""

    jobs: dict[str, Job] = field(default_factory=dict)
    arrival: int = 0

    def at(self, place: str) -> list[str]:
        return [job_id for job_id, job in self.jobs.items() if job.place == place]


class QueueMachine(RuleBasedStateMachine):
    """Submits, takes, runs, loses, retries, cancels and requeues jobs."""

    pool: ConnectionPool  # set by the test

    def __init__(self) -> None:
        super().__init__()
        self.redis = ClockedRedis(connection_pool=self.pool)
        self.redis.flushdb()
        self.redis.now_us = int(time.time() * US)
        self.model = Model()
        self.monotonic = 0.0
        queue = PriorityQueue(QUEUE, connection=self.redis)
        self.worker = Worker([queue], connection=self.redis, serializer=JSONSerializer)
        self.books = Bookkeeping(self.worker, manager(self.redis), {})
        self.recovery = StalledJobRecovery(self.redis, self.worker.queues, "another worker")

    @rule(priority=st.sampled_from(Priority), delay_s=st.sampled_from([0, 0, 0, 3, 60]))
    def submit(self, priority: Priority, delay_s: int) -> None:
        now = self.redis.now_us
        due = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=now + delay_s * US) if delay_s else None
        backoff = Backoff(kind="fixed", delay_ms=RETRY_S * 1000)
        spec = job_spec(priority=priority, due=due, attempts=ATTEMPTS, backoff=backoff)
        add_specs(self.redis, spec)
        self.model.arrival = max(now, self.model.arrival + 1)
        arrival = now + delay_s * US if delay_s else self.model.arrival
        place = "delayed" if delay_s else "waiting"
        self.model.jobs[spec.job_id] = Job(place, arrival + BASES[priority], due=arrival / US)

    @rule(seconds=st.sampled_from([0.001, 1, 4, 100, 700]))
    def time_passes(self, seconds: float) -> None:
        self.redis.now_us += int(seconds * US)

    @rule()
    def the_clock_is_set_back(self) -> None:
        self.redis.now_us -= 2 * US

    @rule()
    def promote(self) -> None:
        now = self.redis.now_us / US
        promote_due(self.redis, QUEUE)
        left = {entry.decode() for entry in self.redis.zrange(KEYS.scheduled, 0, -1)}
        for job_id in self.model.at("delayed"):
            job = self.model.jobs[job_id]
            assert (job_id in left) or job.due <= now + ROUNDING_S
            assert (job_id not in left) or job.due > now - ROUNDING_S
            if job_id not in left:
                job.place = "waiting"

    @rule()
    def take(self) -> None:
        """The job with the least score, and none when nothing waits."""
        taken = dequeue(self.redis, [QUEUE], None)
        waiting = self.model.at("waiting")
        assert (taken.job_id if taken else None) == min(waiting, key=self._score, default=None)
        if taken:
            self.model.jobs[taken.job_id].place = "reserved"

    @precondition(lambda self: self.model.at("reserved"))
    @rule(data=st.data())
    def release_one(self, data: st.DataObject) -> None:
        """A worker that stops releases what it has not started; a second release has no effect."""
        job_id = data.draw(st.sampled_from(self.model.at("reserved")))
        reserved = ReservedJob(job_id=job_id, queue=QUEUE)
        assert release(self.redis, reserved)
        assert not release(self.redis, reserved)
        self.model.jobs[job_id].place = "waiting"

    @precondition(lambda self: self.model.at("reserved"))
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self.model.at("reserved")))
        job = self.model.jobs[job_id]
        active = self.books.open(ReservedJob(job_id=job_id, queue=QUEUE), suspect=False)
        assert isinstance(active, ActiveJob)
        job.begun += 1
        assert active.context.attempt == job.begun
        job.place, job.active, job.lost = "running", active, False

    @precondition(lambda self: self._running())
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self._running()))
        self._close(job_id, FinishJob(result={"status": "completed"}))
        self.model.jobs[job_id].place = "finished"

    @precondition(lambda self: self._running())
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        """It is tried again after a pause, or is a dead letter."""
        job_id = data.draw(st.sampled_from(self._running()))
        job = self.model.jobs[job_id].active
        assert job is not None
        self._close(job_id, judge(BROKEN, retries_left=job.job.retries_left or 0))
        self._failed(job_id)

    @precondition(lambda self: self._running())
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        """Without using an attempt, to its old position."""
        job_id = data.draw(st.sampled_from(self._running()))
        self._close(job_id, RequeueJob(failure=RETURNED, suspect=False))
        self.model.jobs[job_id].place = "waiting"

    @precondition(lambda self: self._running())
    @rule(data=st.data())
    def lose_the_worker(self, data: st.DataObject) -> None:
        self.model.jobs[data.draw(st.sampled_from(self._running()))].lost = True

    @rule()
    def recover(self) -> None:
        """What has not been started is released, silent executions are taken over, live ones are left alone."""
        for _ in range(2):
            for job_id in self._running():
                active = self.model.jobs[job_id].active
                assert active is not None
                QAWorker.maintain_heartbeats(self.worker, active.job, active.execution)
            self.redis.delete(LOCK)  # it lasts for 4 s, and no time passes here
            ended = self.recovery.recover(self.monotonic)
            self.monotonic += 10
            self.books.close(ended)
            for job_id in [one.active.job.id for one in ended]:
                assert self.model.jobs[job_id].lost, "a worker that runs was taken for dead"
                self._failed(job_id)
        for job_id in self.model.at("reserved"):
            self.model.jobs[job_id].place = "waiting"
        assert not [job for job in self.model.jobs.values() if job.place == "running" and job.lost]

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(list(self.model.jobs)))
        job = self.model.jobs[job_id]
        outcome = request_cancel(self.redis, [job_id])[job_id]
        match job.place:
            case "waiting" | "delayed":
                assert outcome is CancelOutcome.REMOVED
                job.place = "cancelled"
            case "reserved" | "running":
                assert outcome is CancelOutcome.SIGNALLED
            case _:
                assert outcome is CancelOutcome.ALREADY_FINISHED

    @precondition(lambda self: self.model.at("dead"))
    @rule(data=st.data())
    def requeue(self, data: st.DataObject) -> None:
        """To its old position, with all its attempts."""
        job_id = data.draw(st.sampled_from(self.model.at("dead")))
        DeadLetters(self.redis).requeue(job_id)
        job = self.model.jobs[job_id]
        job.place, job.failed = "waiting", 0

    @precondition(lambda self: self.model.at("dead"))
    @rule(data=st.data())
    def discard(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self.model.at("dead")))
        DeadLetters(self.redis).discard(job_id)
        del self.model.jobs[job_id]

    @invariant()
    def every_job_is_in_its_place(self) -> None:
        """In one place, the waiting ones in order."""
        places = {
            "waiting": self.redis.lrange(KEYS.waiting, 0, -1),
            "reserved": self.redis.lrange(KEYS.intermediate, 0, -1),
            "delayed": self.redis.zrange(KEYS.scheduled, 0, -1),
            "running": [entry.split(b":")[0] for entry in self.redis.zrange(KEYS.started, 0, -1)],
            "finished": self.redis.zrange(KEYS.finished, 0, -1),
            "dead": self.redis.zrange(KEYS.failed, 0, -1),
            "cancelled": self.redis.zrange(KEYS.canceled, 0, -1),
        }
        for place, entries in places.items():
            expected = self.model.at(place)
            if place == "waiting":
                assert [entry.decode() for entry in entries] == sorted(expected, key=self._score)
            assert sorted(entry.decode() for entry in entries) == sorted(expected), place

    def _score(self, job_id: str) -> tuple[int, str]:
        """The key of the order; Redis orders equal scores by id."""
        return self.model.jobs[job_id].score, job_id

    def _running(self) -> list[str]:
        return [job_id for job_id in self.model.at("running") if not self.model.jobs[job_id].lost]

    def _close(self, job_id: str, verdict: object) -> None:
        active = self.model.jobs[job_id].active
        assert active is not None
        closed = self.books.close([EndedJob(active=active, verdict=verdict)])  # type: ignore[arg-type]
        assert [one.execution_id for one in closed] == [active.id]

    def _failed(self, job_id: str) -> None:
        job = self.model.jobs[job_id]
        job.failed += 1
        job.place = "dead" if job.failed >= ATTEMPTS else "delayed"
        job.due = self.redis.now_us / US + RETRY_S


@pytest.fixture
def machine(redis_db: Redis) -> type[QueueMachine]:
    QueueMachine.pool = redis_db.connection_pool
    return QueueMachine


def test_the_scripts_do_what_the_model_does(machine: type[QueueMachine]) -> None:
    """Priorities, delays, dequeue, recovery, retries, cancels and dead letters, in any order."""
    health = list(HealthCheck)
    limits = settings(
        max_examples=30, stateful_step_count=30, deadline=None, derandomize=True, suppress_health_check=health
    )
    run_state_machine_as_test(machine, settings=limits)


def test_a_delay_counts_by_the_clock_of_redis(redis_db: Redis) -> None:
    """The clock of the machine that submits may be an hour ahead."""
    redis = ClockedRedis(connection_pool=redis_db.connection_pool)
    redis.now_us = int(time.time() - 3600) * US
    due = datetime.fromtimestamp(redis.now_us / US + 60, UTC)
    spec = job_spec(due=due)
    add_specs(redis, spec)
    assert redis.zscore(KEYS.scheduled, spec.job_id) == pytest.approx(due.timestamp())
    assert redis.llen(KEYS.waiting) == 0
