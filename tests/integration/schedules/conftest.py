"""A real Redis, a store and a clock that tests set."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from redis import Redis

from qa_queue.models import utc_now
from qa_queue.producer.planning import case_record
from qa_queue.schedules import ScheduleRunner
from qa_queue.settings import load_settings
from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import CaseRecord
from tests.support.queueing import run_request


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.moment = utc_now().replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.moment

    def pass_by(self, **time: float) -> datetime:
        """Move the clock by this time, and return the new time."""
        self.moment += timedelta(**time)
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def runner(redis_db: Redis, store: MemoryStore, clock: Clock) -> ScheduleRunner:
    """The runner of one scheduler."""
    return ScheduleRunner(redis_db, store, load_settings(), clock)


@pytest.fixture
def stored(store: MemoryStore) -> Callable[..., CaseRecord]:
    """Stores a case of this name."""

    def make(name: str = "Sign in", **overrides: object) -> CaseRecord:
        return store.save_cases([case_record(run_request(name, **overrides))])[0]

    return make
