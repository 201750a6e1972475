"""The composition root of the HTTP API and the command line: all parts of the service, over one Redis and store.

A part is imported and opened on its first use. So the API starts while Redis or Supabase is unavailable, and a
command pays only for the parts that it uses.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from qa_queue.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from redis import Redis

    from qa_queue.auth.audit import AuditLog
    from qa_queue.auth.logins import FileLinks, Logins
    from qa_queue.auth.tokens import Identity, TokenStore
    from qa_queue.monitoring import Health
    from qa_queue.monitoring.alerts import AlertState
    from qa_queue.producer import JobProducer, QueueProducer
    from qa_queue.progress import ProgressReader
    from qa_queue.queues import QueueManager
    from qa_queue.queues.batches import Batches
    from qa_queue.queues.cancellation import CancelOutcome
    from qa_queue.queues.dead_letters import DeadLetters
    from qa_queue.queues.events import EventStream
    from qa_queue.queues.limits import Limits
    from qa_queue.redis import RedisClient
    from qa_queue.schedules import ScheduleRegistry, ScheduleRunner
    from qa_queue.services.changes import Changes
    from qa_queue.settings import Settings
    from qa_queue.store.artifacts import ArtifactFiles
    from qa_queue.store.protocol import RunStore
    from qa_queue.store.records import CaseRecord, RunRecord


FULL_ID = 36  # characters of a UUID
SHORTEST_REF = 4
MOST_SINGLE_READS = 20  # of cases; more are read in one call with all others


class Backend:
    """The parts of the service. Safe to use from several threads; `close` when done.

    Every property and method raises `RedisUnavailableError` or `StoreError` when its part is unavailable, and
    `SettingsError` when it is not set up.
    """

    def __init__(self, settings: Settings, store: RunStore | None = None) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._opened = ExitStack()
        self._client: RedisClient | None = None
        self._store = store
        self._artifacts: ArtifactFiles | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that were opened; a store that was given stays open."""
        self._opened.close()

    def check(self) -> None:
        """Return when Redis and the store can be used."""
        self.redis.ping()
        self.check_store()

    def check_store(self) -> None:
        """Return when the store can be used."""
        self.store.check()

    @property
    def redis(self) -> Redis:
        """The connection to Redis."""
        return self.redis_client.connect()

    @property
    def redis_client(self) -> RedisClient:
        """The client that connects to Redis, without connecting."""
        with self._lock:
            if self._client is None:
                from qa_queue.redis import RedisClient

                self._client = RedisClient(self.settings)
                self._opened.callback(self._client.disconnect)
            return self._client

    @property
    def store(self) -> RunStore:
        """The store of cases and runs."""
        with self._lock:
            if self._store is None:
                from qa_queue.store.supabase import SupabaseStore

                self._store = opened = SupabaseStore.from_settings(self.settings)
                self._opened.callback(opened.close)
            return self._store

    @property
    def artifacts(self) -> ArtifactFiles:
        """The files that runs left."""
        with self._lock:
            if self._artifacts is None:
                from qa_queue.store.artifacts import ArtifactFiles

                self._artifacts = opened = ArtifactFiles.from_settings(self.settings)
                self._opened.callback(opened.close)
            return self._artifacts

    @property
    def queues(self) -> QueueManager:
        """The queues."""
        from qa_queue.queues import QueueManager

        return QueueManager(self.redis, self.settings)

    @property
    def dead_letters(self) -> DeadLetters:
        """The dead letters, with their runs."""
        from qa_queue.queues.dead_letters import DeadLetters

        return DeadLetters(self.redis, self.store)

    @property
    def producer(self) -> JobProducer:
        """The producer of runs."""
        from qa_queue.producer import JobProducer

        return JobProducer(self.redis, self.store, self.settings)

    @property
    def jobs(self) -> QueueProducer:
        """The producer of jobs without rows, those of installed packages among them."""
        from qa_queue.producer import QueueProducer

        return QueueProducer(self.redis, self.settings, self.store if self.settings.supabase_url else None)

    @property
    def batches(self) -> Batches:
        """The batches of runs."""
        from qa_queue.queues.batches import Batches

        return Batches(self.redis, self.store)

    @property
    def schedules(self) -> ScheduleRegistry:
        """The schedules."""
        from qa_queue.schedules import ScheduleRegistry

        return ScheduleRegistry(self.store)

    @property
    def schedule_runner(self) -> ScheduleRunner:
        """The runner that starts schedules."""
        from qa_queue.schedules import ScheduleRunner

        return ScheduleRunner(self.redis, self.store, self.settings)

    @property
    def limits(self) -> Limits:
        """The limits of sites and users."""
        from qa_queue.queues.limits import Limits

        return Limits(self.redis)

    @property
    def events(self) -> EventStream:
        """The events of all queues."""
        from qa_queue.queues.events import EventStream

        return EventStream(self.redis)

    @property
    def progress(self) -> ProgressReader:
        """The live progress of runs."""
        from qa_queue.progress import ProgressReader

        return ProgressReader(self.redis)

    @property
    def tokens(self) -> TokenStore:
        """The tokens of the API."""
        from qa_queue.auth.tokens import TokenStore

        return TokenStore(self.redis)

    @property
    def logins(self) -> Logins:
        """The logins to the pages."""
        from qa_queue.auth.logins import Logins

        return Logins(self.redis)

    @property
    def audit(self) -> AuditLog:
        """The log of changes to the service."""
        from qa_queue.auth.audit import AuditLog

        return AuditLog(self.redis, lambda: self.store)

    def changes(self, by: Identity) -> Changes:
        """Return the changes to the service that a caller makes, which are recorded."""
        from qa_queue.services.changes import Changes

        return Changes(self, by)

    @property
    def file_links(self) -> FileLinks:
        """The links to files that need no login."""
        from qa_queue.auth.logins import FileLinks

        return FileLinks(self.redis)

    @property
    def alerts(self) -> AlertState:
        """The state of the alerts after the last evaluation."""
        from qa_queue.monitoring.alerts import AlertState

        return AlertState(self.redis)

    def health_check(self) -> Health:
        """Return the health of every part that the service needs; never raises."""
        from qa_queue.monitoring import health_check

        return health_check(self.settings, self.redis_client, self.check_store)

    def run(self, run_id: str) -> RunRecord:
        """Return the run.

        Raises:
            NotFoundError: there is no run with this id.
        """
        found = self.store.get_run(run_id)
        if found is None:
            raise NotFoundError(f"there is no run {run_id!r}.")
        return found

    def find_run(self, ref: str) -> RunRecord:
        """Return the run with this id, or the one whose id begins with `ref`, at least four characters.

        Raises:
            NotFoundError: no id begins with it.
            InputError: several do.
        """
        return self.run(_whole_id("runs", ref, self.store.find_run_ids))

    def find_batch_id(self, ref: str) -> str:
        """Return the id of the batch that begins with `ref`, at least four characters; `ref` itself if none does.

        Raises:
            InputError: several do.
        """
        return _whole_id("batches", ref, self.store.batches.find_ids)

    def require_whole_batch(self, batch_id: str) -> None:
        """Return if the caller may change every run of the batch; without limits it may."""

    def case(self, case_id: str) -> CaseRecord:
        """Return the case.

        Raises:
            NotFoundError: there is no case with this id.
        """
        found = self.store.get_case(case_id)
        if found is None:
            raise NotFoundError(f"there is no case {case_id!r}.")
        return found

    def cancel(self, run_ids: Iterable[str], reason: str) -> dict[str, CancelOutcome]:
        """Cancel runs: a waiting one ends at once, with its row; a running one is asked to stop."""
        from qa_queue.queues.cancellation import cancel_runs

        return cancel_runs(self.redis, self.store, list(run_ids), reason)

    def case_names(self, case_ids: Iterable[str]) -> dict[str, str]:
        """Return the names of these cases by id; an id without a case is its own name."""
        wanted = set(case_ids)
        if len(wanted) > MOST_SINGLE_READS:
            every = {case.id: case for case in self.store.list_cases()}
            return {case_id: every[case_id].name if case_id in every else case_id for case_id in wanted}
        found = {case_id: self.store.get_case(case_id) for case_id in wanted}
        return {case_id: case.name if case else case_id for case_id, case in found.items()}


def _whole_id(kind: str, ref: str, find: Callable[[str], list[str]]) -> str:
    """Return the only id that begins with `ref`, or `ref` itself."""
    if len(ref) >= FULL_ID or len(ref) < SHORTEST_REF:
        return ref
    found = find(ref)
    if len(found) > 1:
        raise InputError(f"several {kind} begin with {ref!r}, such as {found[0]} and {found[1]}: give more of it.")
    return found[0] if found else ref
