"""The service of a chaos run, and its client and observer: real processes, each with what the plan gives it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from redis.exceptions import RedisError

from qa_queue.errors import QAError, StoreUnavailableError
from qa_queue.local.process import LocalServer
from qa_queue.models import RunStatus
from qa_queue.models.values import Backoff
from qa_queue.producer import JobProducer, RunRequest
from qa_queue.producer.idempotency import KEPT_NOTE, LEFT_NOTE
from qa_queue.queues.cancellation import cancel_runs
from qa_queue.redis import RedisClient
from qa_queue.settings import load_settings
from qa_queue.store.records import RunRecord, StepRecord
from qa_queue.store.supabase import SupabaseStore
from tests.chaos.events import ACKNOWLEDGED, CANCEL, ENDED, JOB, REJECTED, ROW, WAITING, EventLog
from tests.chaos.lossy import LossyProxy
from tests.chaos.plan import ChaosPlan, PlannedRun
from tests.chaos.runtime import BROWSER_VARIABLE, LOG_VARIABLE, RUNTIME
from tests.chaos.site import serve_steps, steps_of
from tests.support.clocks import clock_off
from tests.support.live_service import LiveService
from tests.support.poll import wait_until
from tests.support.processes import ROOT, ServiceProcess
from tests.support.proxies import HttpProxy
from tests.support.steps import case
from tests.support.workers import QUEUE

PLANTED = Path(__file__).with_name("planted")
_REGISTRIES = ("finished", "failed", "wip", "scheduled", "deferred", "canceled")
_LOOK_S = 0.05
_ROWS_EVERY = 20  # looks at the list for each look at the rows
_ENDED = tuple(status for status in RunStatus if status.final)
_DISK_KIB = 256
_UNFINISHED = {"queued", "scheduled", "started", "deferred", "created"}
_ANSWER_S = 300.0


class ChaosService(LiveService):
    """Redis, a Supabase behind a proxy, a site, a scheduler, and the workers of a plan, each on a line to Redis."""

    scheduler_module = "tests.chaos.scheduler"

    def __init__(
        self,
        plan: ChaosPlan,
        stack: ExitStack,
        folder: Path,
        supabase: LocalServer,
        browser: Path | None,
        *,
        planted: str = "",
    ) -> None:
        self.plan = plan
        self.log_file = EventLog(folder / "events.jsonl")
        stack.callback(self.log_file.close)
        self.site = stack.enter_context(serve_steps(self.log_file))
        self.supabase = stack.enter_context(HttpProxy(supabase.url))
        self.supabase_line = stack.enter_context(LossyProxy(urlsplit(self.supabase.url).port or 0))
        self.store = SupabaseStore(supabase.url, str(supabase.key))
        stack.callback(self.store.close)
        super().__init__(
            folder,
            stack,
            QA_RUNTIME=RUNTIME,
            QA_INSTANCE=f"chaos-{uuid4()}",
            SUPABASE_URL=f"http://127.0.0.1:{self.supabase_line.port}",
            SUPABASE_SECRET_KEY=str(supabase.key),
            QUEUE_MAX_ATTEMPTS="10",
            **{LOG_VARIABLE: str(self.log_file.path)},
        )
        if plan.browser and browser is not None:
            self.settings |= {BROWSER_VARIABLE: "1", "QA_BROWSER_PATH": str(browser)}
        if planted:
            self.settings |= {"TEST_PLANTED": planted, "PYTHONPATH": os.pathsep.join([str(PLANTED), str(ROOT)])}
        self.disk = stack.enter_context(_small_disk(Path(self.settings["QA_HOME"]) / "outbox"))
        self.lines = [stack.enter_context(LossyProxy(self._redis_port)) for _ in plan.workers]
        self.present: list[ServiceProcess] = []
        self.ending: list[ServiceProcess] = []  # were killed, or asked to end
        for number in range(len(plan.workers)):
            self.start_worker(number)
        self.start_scheduler()

    def start_worker(self, number: int) -> None:
        """Start the worker of this number, or another in its place."""
        planned = self.plan.workers[number]
        port = urlsplit(self.redis.url).port
        line = self.redis.url.replace(f":{port}", f":{self.lines[number].port}")
        clock = clock_off(planned.clock_s)
        worker = self.worker(REDIS_URL=line, QUEUE_CONCURRENCY=str(planned.slots), **clock)
        self.present[number : number + 1] = [worker]

    def start_scheduler(self) -> None:
        """Start a scheduler, or another in its place."""
        self.present_scheduler = self.scheduler()

    def revive(self) -> None:
        """Start again what could not start because Redis was unavailable, as a supervisor of processes does."""
        for number, worker in enumerate(list(self.present)):
            if not worker.running and "serves" not in worker.text:
                self.start_worker(number)
        if not self.present_scheduler.running and "Traceback" not in self.present_scheduler.text:
            self.start_scheduler()

    def rows(self, statuses: Sequence[RunStatus] | None = None) -> list[RunRecord]:
        """Return the rows of the runs, or those with these statuses."""
        most = 2 * len(self.plan.runs)  # a rejected submission may have left rows
        return self.store.list_runs(user_id=self.settings["QA_INSTANCE"], statuses=statuses, limit=most)

    @property
    def processes(self) -> list[ServiceProcess]:
        """The processes that should be running."""
        return [*self.present, self.present_scheduler]


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path | None]:
    """A disk of 256 KiB at a folder; None where this user may not mount one."""
    folder.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", f"size={_DISK_KIB}k", "tmpfs", str(folder)]
    if subprocess.run(["mount", *options], check=False, stderr=subprocess.DEVNULL).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


class ChaosClient(threading.Thread):
    """Submits and cancels the runs of a plan, in the order of their times."""

    def __init__(self, service: ChaosService, start: float) -> None:
        super().__init__(name="client")
        self.ids: dict[str, str] = {}  # of the acknowledged runs, by name
        self._service = service
        self._start = start
        self._log = service.log_file
        self._settings = load_settings(
            redis_url=service.redis.url,
            qa_instance=service.settings["QA_INSTANCE"],
            queue_max_attempts=int(service.settings["QUEUE_MAX_ATTEMPTS"]),
        )
        self._store = SupabaseStore(service.settings["SUPABASE_URL"], service.settings["SUPABASE_SECRET_KEY"])

    def run(self) -> None:
        """Do everything that is planned, each as soon as its time has come and the one before is done."""
        runs = self._service.plan.runs
        submits = ((run.at, self._submit, run) for run in runs)
        cancels = ((run.cancel_at, self._cancel, run) for run in runs if run.cancel_at is not None)
        redis = RedisClient(self._settings)
        try:
            for at, act, run in sorted(chain(submits, cancels), key=lambda one: one[0]):
                _wait_until(self._start + at)
                with suppress(QAError):
                    act(redis, run)
        finally:
            redis.disconnect()
            self._store.close()

    def _submit(self, redis: RedisClient, run: PlannedRun) -> None:
        steps = steps_of(run.name, run.holds_ms, passes=run.passes)
        request = RunRequest(
            case=case(*steps, name=run.name, id=f"{run.name}-{self._settings.qa_instance}"),
            base_url=self._service.site,
            user_id=self._settings.qa_instance,
            priority=run.priority,
            delay_ms=run.delay_ms,
            backoff=Backoff(kind="fixed", delay_ms=1000),
        )
        try:
            (submitted,) = JobProducer(redis.connect(), self._store, self._settings).submit(request)
        except QAError as error:
            notes = getattr(error, "__notes__", [])
            self._log.note(
                REJECTED, run.name, error=str(error)[:300], kept=KEPT_NOTE in notes, left=LEFT_NOTE in notes
            )
            return
        self.ids[run.name] = submitted.run_id
        self._log.note(
            ACKNOWLEDGED,
            run.name,
            id=submitted.run_id,
            priority=int(run.priority),
            delayed=run.delay_ms is not None,
            steps=len(steps),
            passes=run.passes,
        )

    def _cancel(self, redis: RedisClient, run: PlannedRun) -> None:
        if (run_id := self.ids.get(run.name)) is None:
            return
        outcome = None
        try:
            outcome = cancel_runs(redis.connect(), self._store, [run_id], "cancelled by the chaos run")[run_id]
        except RedisError as error:
            self._log.note(CANCEL, run.name, outcome=f"failed: {error}"[:300])
        except QAError as error:
            self._log.note(CANCEL, run.name, outcome=f"failed: {error}"[:300])
        else:
            self._log.note(CANCEL, run.name, outcome=outcome.value)


class ChaosObserver(threading.Thread):
    """Looks at the waiting list and at the rows until every acknowledged run has ended."""

    def __init__(self, service: ChaosService, client: ChaosClient) -> None:
        super().__init__(name="observer")
        self._service = service
        self._client = client
        self._enough = threading.Event()
        self._ended: dict[str, RunStatus] = {}
        self._seen: list[str] = []  # the waiting runs of the last look
        self._looked_at = 0.0

    @property
    def open(self) -> list[str]:
        """Names of the acknowledged runs whose rows have not ended."""
        return [name for name in list(self._client.ids) if name not in self._ended]

    def run(self) -> None:
        """Look until `stop`."""
        connection = self._service.connection
        turn = 0
        while not self._enough.wait(_LOOK_S):
            turn += 1
            with suppress(RedisError):
                self._look_at_list(connection)
            if turn % _ROWS_EVERY == 0:
                with suppress(QAError):  # on a busy machine the database may not answer in time
                    self.look_at_rows()
        connection.close()

    def stop(self) -> None:
        """Stop looking."""
        self._enough.set()
        self.join()

    def look_at_rows(self) -> None:
        """Note the runs that have ended since the last look."""
        if not self.open:
            return
        names = {run_id: name for name, run_id in list(self._client.ids.items())}
        user = self._service.settings["QA_INSTANCE"]
        for run in self._service.store.list_runs(
            user_id=user, statuses=_ENDED, limit=len(names) + len(self._ended)
        ):
            name = names.get(run.id)
            if name is not None and name not in self._ended:
                self._ended[name] = run.status
                self._service.log_file.note(ENDED, name, status=run.status.value)

    def _look_at_list(self, connection) -> None:  # type: ignore[no-untyped-def] # redis-py
        names = {run_id: name for name, run_id in list(self._client.ids.items())}
        waiting = [names.get(job_id.decode()) for job_id in connection.lrange(f"rq:queue:{QUEUE}", 0, -1)]
        before, self._looked_at = self._looked_at, time.monotonic()
        if (seen := [name for name in waiting if name]) != self._seen:
            self._service.log_file.note(WAITING, runs=seen, gap=self._looked_at - before)
            self._seen = seen


def job_statuses(service: ChaosService, client: ChaosClient) -> dict[str, str | None]:
    """Return RQ's status of the job of every acknowledged run, by the name of the run; None without a job."""
    with service.connection as connection:
        found = {name: connection.hget(f"rq:job:{run_id}", "status") for name, run_id in list(client.ids.items())}
    return {name: status.decode() if status else None for name, status in found.items()}


def unfinished_jobs(service: ChaosService, client: ChaosClient) -> list[str]:
    """Return the names of the runs whose jobs are there and have not ended."""
    return [name for name, status in job_statuses(service, client).items() if status in _UNFINISHED]


def note_results(service: ChaosService, client: ChaosClient) -> None:
    """Note the row and the job of every acknowledged run."""
    statuses = job_statuses(service, client)
    rows, steps = wait_until(lambda: _stored(service, client), _ANSWER_S, "an answer of Supabase")
    with service.connection as connection:
        members = {name: connection.zrange(f"rq:{name}:{QUEUE}", 0, -1) for name in _REGISTRIES}
    numbers = defaultdict(list)
    for step in steps:
        numbers[step.test_run_id, step.attempt].append(step.number)
    for name, run_id in client.ids.items():
        if (row := rows.get(run_id)) is not None:
            service.log_file.note(
                ROW,
                name,
                status=row.status.value,
                attempt=row.attempt,
                steps=sorted(numbers[run_id, row.attempt]),
                finished=row.finished_at is not None,
                error=row.error,
            )
        found = [
            registry
            for registry, entries in members.items()
            if any(entry.startswith(run_id.encode()) for entry in entries)
        ]
        service.log_file.note(JOB, name, id=run_id, status=statuses[name], registries=found)


def _stored(service: ChaosService, client: ChaosClient) -> tuple[dict[str, RunRecord], list[StepRecord]] | None:
    """Return the rows of the runs, by id, and those of their steps; None if the database did not answer in time."""
    with suppress(StoreUnavailableError):
        return {row.id: row for row in service.rows()}, service.store.list_steps(list(client.ids.values()))
    return None


def _wait_until(at: float) -> None:
    threading.Event().wait(max(0.0, at - time.monotonic()))
