"""The whole service for a test: the program, a database to look into, a shop to run against, and real workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from examples.shop import serve
from qa_queue.local.process import LocalServer
from qa_queue.store.supabase import SupabaseStore
from tests.support.program import Program, settings_for
from tests.support.workers import WorkerProcess


@pytest.fixture
def program(
    redis_db: Redis,
    redis_url: str,
    supabase: LocalServer,
    browser_path: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Program:
    """The command line on the session's Supabase; started as users do in `test_command_line`.

    It uses the Redis and the folder of `worker` in a test that has one, otherwise an empty Redis.
    """
    if "worker" in request.fixturenames:
        settings = dict(request.getfixturevalue("worker_settings"))
    else:
        settings = settings_for(redis_url, supabase, browser_path, tmp_path / "home")
    return Program(tmp_path, settings, fresh=_as_users_do(request))


@pytest.fixture
def store(supabase: LocalServer) -> Iterator[SupabaseStore]:
    """The rows behind the program's back."""
    opened = SupabaseStore(supabase.url, supabase.key or "")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def shop() -> Iterator[str]:
    """The URL of the example shop."""
    with serve() as served:
        yield served.url


@pytest.fixture(scope="module")
def worker_settings(
    redis_url: str, supabase: LocalServer, browser_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Settings of `worker`: a database of Redis that no test flushes, and runs that it alone may restore there."""
    own = redis_url.removesuffix("/0") + "/1"
    with Redis.from_url(own) as client:
        client.flushdb()
    settings = settings_for(own, supabase, browser_path, tmp_path_factory.mktemp("worker") / "home")
    return {**settings, "QA_INSTANCE": f"acceptance-{uuid4()}"}


@pytest.fixture(scope="module")
def worker(
    worker_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[WorkerProcess]:
    """One real worker on `test-execution` for the tests of a file, by RQ's own command."""
    settings = {**worker_settings, "QA_RUNTIME": "processors.entry:Runtime"}
    log = tmp_path_factory.mktemp("log") / "worker.log"
    with WorkerProcess(log, fresh=_as_users_do(request), **settings) as process:
        process.says("serves test-execution", timeout=60)
        yield process


def _as_users_do(request: pytest.FixtureRequest) -> bool:
    """Return whether the file's processes are started rather than forked."""
    return request.path.stem == "test_command_line"
