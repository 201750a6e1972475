"""The whole service for a test: the program, a database to look into, a shop to run against, and real workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
    """The command line on an empty Redis and the session's Supabase; started as users do in `test_command_line`."""
    settings = settings_for(redis_url, supabase, browser_path, tmp_path / "home")
    return Program(tmp_path, settings, fresh=request.path.stem == "test_command_line")


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


@pytest.fixture
def worker(program: Program, tmp_path: Path) -> Iterator[WorkerProcess]:
    """One real worker on `test-execution`, by RQ's own command."""
    settings = {**program.settings, "QA_RUNTIME": "processors.entry:Runtime"}
    with WorkerProcess(tmp_path / "worker.log", fresh=program.fresh, **settings) as process:
        process.says("serves test-execution", timeout=60)
        yield process
