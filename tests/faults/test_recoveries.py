"""Recoveries that were slow: answers lost at the worst moment, a submitter that dies, a worker of `qa-queue up`."""

from __future__ import annotations

import threading
import time
from urllib.parse import urlsplit

import psutil

from qa_queue.models import utc_now
from tests.chaos.lossy import LossyProxy
from tests.faults.service import FaultService
from tests.support.poll import wait_until
from tests.support.processes import ROOT, ServiceProcess, command_of, program
from tests.support.workers import QUEUE

_NEVER = threading.Event()
_OUTAGE_S = 3
DYING_SUBMITTER = """
import sys, time
from redis import Redis
from qa_queue.producer import JobProducer
from qa_queue.queues import QueueManager
from qa_queue.settings import load_settings
from qa_queue.store.supabase import SupabaseStore
from tests.support.queueing import run_request
from tests.faults.service import STEPS

def hang(*_):
    print("recorded", flush=True)
    time.sleep(600)

QueueManager.add = hang
redis, supabase, key, instance, site = sys.argv[1:]
settings = load_settings(queue_max_attempts=3, qa_instance=instance)
producer = JobProducer(Redis.from_url(redis), SupabaseStore(supabase, key), settings)
producer.submit(run_request(steps=STEPS, base_url=site, idempotency_key="k"))
"""


def through(service: FaultService, proxy: LossyProxy) -> str:
    """Return the URL of Redis with the port of the proxy."""
    return service.redis.url.replace(f":{urlsplit(service.redis.url).port}", f":{proxy.port}")


def test_the_answer_to_a_take_is_lost_and_redis_goes_away(service: FaultService, survived) -> None:
    """The job is taken in Redis, no worker knows of it, and Redis is unavailable for 3 s."""
    service.idle_worker()
    redis = service.connection
    service.pause_queue(paused=True)
    service.submit()
    assert redis.lmove(f"rq:queue:{QUEUE}", f"rq:queue:{QUEUE}:intermediate")
    service.pause_queue(paused=False)
    service.kill_redis()
    _NEVER.wait(_OUTAGE_S)
    service.start_redis()
    since = time.monotonic()
    recovery = service.wait_for_runs(since)
    service.check_runs()
    assert [service.attempts(run) for run in service.runs] == [1]
    service.stop_workers()
    survived("the answer to a take lost, then Redis unavailable for 3 s", recovery, "completed; attempts [1]")


def test_answers_are_lost_while_runs_start(service: FaultService, survived) -> None:
    """For 3 s from the moment on at which a job was taken: its start may be done, and the worker not know of it."""
    with LossyProxy(urlsplit(service.redis.url).port or 0) as proxy:
        service.idle_worker(REDIS_URL=through(service, proxy))
        service.submit(3)
        wait_until(lambda: _taken(service), timeout=60, what="a job that was taken")
        proxy.set_mode("lost replies")
        _NEVER.wait(_OUTAGE_S)
        proxy.set_mode("good")
        since = time.monotonic()
        recovery = service.wait_for_runs(since)
        service.check_runs()
        attempts = sorted(service.attempts(run) for run in service.runs)
        service.stop_workers()
    survived("answers of Redis lost for 3 s while runs start", recovery, f"completed; attempts {attempts}")


def test_a_submitter_with_an_idempotency_key_is_killed(service: FaultService, survived) -> None:
    """After its rows and before its jobs: the run is restored, and the next submission with the key gets it."""
    service.worker().says("serves")
    service.scheduler().says("serves")
    begun = utc_now()
    proxy, settings = service.supabase_proxy, service.settings
    arguments = (service.redis.url, proxy.url, settings["SUPABASE_SECRET_KEY"], settings["QA_INSTANCE"])
    with program(DYING_SUBMITTER, *arguments, service.site.url, cwd=ROOT) as submitter:
        assert submitter.stdout is not None
        assert submitter.stdout.readline() == "recorded\n"
        submitter.kill()
    since = time.monotonic()
    (run,) = service.submit(idempotency_key="k")
    recovery = service.wait_for_runs(since)
    service.check_runs()
    rows = service.store.list_runs(case_ids=[service.store.get_run(run.id).test_case_id], queued_since=begun)
    assert [row.id for row in rows] == [run.id]
    service.stop_workers()
    survived("kill -9 of a submitter with an idempotency key", recovery, "the next submission gets its run")


def test_the_worker_of_qa_queue_up_is_killed(service: FaultService, survived) -> None:
    """It is restarted at once, and takes over what ran as soon as it is up."""
    held = service.checkpoint("/middle", hold=True)
    service.submit(3)
    with service.up() as up:
        held.wait(90)
        since = time.monotonic()
        _worker_of(up).kill()
        held.go.set()
        recovery = service.wait_for_runs(since)
        service.check_runs()
        attempts = sorted(service.attempts(run) for run in service.runs)
        up.popen.terminate()
        up.wait(60)
    survived("kill -9 of the worker of `qa-queue up`", recovery, f"completed; attempts {attempts}")


def _taken(service: FaultService) -> bool:
    """Return whether a job is in the intermediate list, or was started."""
    redis = service.connection
    return bool(redis.llen(f"rq:queue:{QUEUE}:intermediate") or redis.zcard(f"rq:wip:{QUEUE}"))


def _worker_of(up: ServiceProcess) -> psutil.Process:
    return next(process for process in up.family() if {"worker", "-w"} <= set(command_of(process)))
