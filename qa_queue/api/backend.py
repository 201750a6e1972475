"""What the routes stand on: Redis and the store, opened when first needed, so the service starts without them."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from redis import Redis

from qa_queue.auth.logins import Logins
from qa_queue.auth.tokens import TokenStore
from qa_queue.errors import NotFoundError
from qa_queue.monitoring import Health, health_check
from qa_queue.monitoring.alerts import AlertState
from qa_queue.producer import JobProducer, QueueProducer
from qa_queue.progress import ProgressReader
from qa_queue.queues import QueueManager
from qa_queue.queues.batches import Batches
from qa_queue.queues.dead_letters import DeadLetters
from qa_queue.queues.events import EventStream
from qa_queue.queues.limits import Limits
from qa_queue.redis import RedisClient
from qa_queue.schedules import ScheduleRegistry
from qa_queue.settings import Settings
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import CaseRecord, RunRecord
from qa_queue.store.supabase import SupabaseStore


class Backend:
    """The parts of the service, for the routes. Safe to use from several threads.

    Every property and method raises `RedisUnavailableError` or `StoreError` when its part is away, and
    `SettingsError` when it is not set up.
    """

    def __init__(self, settings: Settings, store: RunStore | None = None) -> None:
        self.settings = settings
        self._client = RedisClient(settings)
        self._lock = threading.Lock()
        self._given_store = store

    @property
    def redis(self) -> Redis:
        """The connection to Redis."""
        return self._client.connect()

    @property
    def store(self) -> RunStore:
        """The store of cases and runs."""
        with self._lock:
            if self._given_store is None:
                self._given_store = SupabaseStore.from_settings(self.settings)
            return self._given_store

    @property
    def queues(self) -> QueueManager:
        """The queues."""
        return QueueManager(self.redis, self.settings)

    @property
    def dead_letters(self) -> DeadLetters:
        """The dead letters, with the runs that are theirs."""
        return DeadLetters(self.redis, self.store)

    @property
    def producer(self) -> JobProducer:
        """What submits runs."""
        return JobProducer(self.redis, self.store, self.settings)

    @property
    def jobs(self) -> QueueProducer:
        """What submits jobs of the queues that have no rows, those of installed packages among them."""
        return QueueProducer(self.redis, self.settings)

    @property
    def batches(self) -> Batches:
        """The batches of runs."""
        return Batches(self.redis, self.store)

    @property
    def schedules(self) -> ScheduleRegistry:
        """What is started at set times."""
        return ScheduleRegistry(self.store)

    @property
    def limits(self) -> Limits:
        """The rules of limits."""
        return Limits(self.redis)

    @property
    def events(self) -> EventStream:
        """What happens on the queues."""
        return EventStream(self.redis)

    @property
    def progress(self) -> ProgressReader:
        """The live progress of runs."""
        return ProgressReader(self.redis)

    @property
    def tokens(self) -> TokenStore:
        """The tokens of the API."""
        return TokenStore(self.redis)

    @property
    def logins(self) -> Logins:
        """The logins to the pages."""
        return Logins(self.redis)

    @property
    def alerts(self) -> AlertState:
        """The alerts, as they stood at the last look."""
        return AlertState(self.redis)

    def check_store(self) -> None:
        """Return when Supabase can be used; raises as every method does."""
        self.store.check()

    def health_check(self) -> Health:
        """A look at every part that the service stands on; never raises."""
        return health_check(self.settings, self._client, self.check_store)

    def run(self, run_id: str) -> RunRecord:
        """The run.

        Raises:
            NotFoundError: there is none with this id.
        """
        found = self.store.get_run(run_id)
        if found is None:
            raise NotFoundError(f"there is no run {run_id!r}.")
        return found

    def case(self, case_id: str) -> CaseRecord:
        """The case.

        Raises:
            NotFoundError: there is none with this id.
        """
        found = self.store.get_case(case_id)
        if found is None:
            raise NotFoundError(f"there is no case {case_id!r}.")
        return found

    def case_names(self, runs: Iterable[RunRecord]) -> dict[str, str]:
        """The names of the cases of these runs, by the case's id."""
        return self.names_of({run.test_case_id for run in runs})

    def names_of(self, case_ids: Iterable[str]) -> dict[str, str]:
        """The names of these cases, by id; the id itself where there is none."""
        found = {case_id: self.store.get_case(case_id) for case_id in case_ids}
        return {case_id: case.name if case else case_id for case_id, case in found.items()}
