"""Real parts for all tests: one Redis, one Supabase and one browser a session, started when first asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import redis
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from qa_queue.errors import InfrastructureError
from qa_queue.local.process import LocalServer
from qa_queue.local.redis import start_redis
from qa_queue.local.supabase import start_supabase
from qa_queue.settings import load_settings
from qa_queue.settings.chromium import find_browser

# No timed assertion: a busy machine may take as long as it needs for an example.
hypothesis_settings.register_profile("qa", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("qa")

ROOT = Path(__file__).resolve().parents[1]
# Files that take longest, longest first; then the kinds of tests, those that start most processes first.
LONGEST_FILES = ("tests/acceptance/test_wheel.py",)
KINDS = (
    "tests/faults/",
    "tests/acceptance/",
    "tests/integration/",
    "tests/contract/",
    "tests/browser/",
    "examples/",
)
_OWN_VARIABLES = ("REDIS_", "SUPABASE_", "QUEUE_", "RQ_", "QA_", "LOG_")
_ASKED_BROWSER = os.environ.get("QA_BROWSER_PATH")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the developer's own settings out of the tests."""
    for name in [name for name in os.environ if name.startswith(_OWN_VARIABLES)]:
        del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first: with `--dist loadfile` short ones then fill the end of a parallel run."""
    items.sort(key=start_order)


def start_order(item: pytest.Item) -> int:
    """Return the place of a test's file: the long files in their order, then each kind of test by its cost."""
    path = item.path.relative_to(ROOT).as_posix()
    if path in LONGEST_FILES:
        return LONGEST_FILES.index(path)
    kind = next((n for n, folder in enumerate(KINDS) if path.startswith(folder)), len(KINDS))
    return len(LONGEST_FILES) + kind


def missing(error: InfrastructureError) -> NoReturn:
    """A part that is not installed skips a test on a developer's machine and fails it in CI and `make test`."""
    if os.environ.get("CI"):
        raise error
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """The session's Redis; the `db` of `redis_db` is flushed, so keep what must last elsewhere."""
    try:
        server = start_redis(tmp_path_factory.mktemp("redis"))
    except InfrastructureError as error:
        missing(error)
    with server:
        yield server


@pytest.fixture(scope="session")
def redis_url(redis_server: LocalServer) -> str:
    """URL of a real Redis, password included."""
    return redis_server.url


@pytest.fixture
def redis_db(redis_url: str) -> Iterator[redis.Redis]:
    """A client of the session's Redis, flushed before the test."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        yield client


@pytest.fixture(scope="session")
def supabase(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A real Supabase with the migrations applied: `.url` and `.key`."""
    try:
        server = start_supabase(tmp_path_factory.mktemp("supabase"), cache=ROOT / ".qa" / "cache")
    except InfrastructureError as error:
        missing(error)
    with server:
        yield server


@pytest.fixture(scope="session")
def browser_path() -> Path:
    """An installed Chromium; the developer's QA_BROWSER_PATH counts."""
    try:
        return find_browser(load_settings(qa_browser_path=_ASKED_BROWSER))
    except InfrastructureError as error:
        missing(error)
