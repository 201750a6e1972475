"""The example's package really installed, its table really migrated, real workers on its queue."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from qa_queue.errors import InfrastructureError
from qa_queue.extensions import catalogue
from qa_queue.local.files import MIGRATIONS
from qa_queue.local.process import LocalServer
from qa_queue.local.supabase import start_supabase
from qa_queue.producer import QueueProducer
from qa_queue.settings import Settings
from qa_queue.store.client import SupabaseClient
from tests.conftest import ROOT, missing
from tests.support.workers import WorkerProcess

EXAMPLE = ROOT / "examples" / "settlement"
QUEUE = "settlement"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the package, from its own `pyproject.toml` and without a download."""
    folder = tmp_path_factory.mktemp("settlement")
    shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("build", "*.egg-info"))
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--no-cache-dir", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "install", "--quiet", *options, "--target", str(folder / "site")]
    subprocess.run([*command, str(folder / "source")], check=True, timeout=300)
    return folder / "site"


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package is there for this process and those that it starts."""
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site))
    catalogue.cache_clear()
    yield site
    catalogue.cache_clear()


@pytest.fixture(scope="session")
def database(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A real Supabase with the service's tables and the package's."""
    folders = (MIGRATIONS, site / "qa_settlement" / "migrations")
    try:
        server = start_supabase(tmp_path_factory.mktemp("ledger"), cache=ROOT / ".qa" / "cache", migrations=folders)
    except InfrastructureError as error:
        missing(error)
    with server:
        yield server


@pytest.fixture
def supabase_client(database: LocalServer) -> Iterator[SupabaseClient]:
    """A connection to the ledger's database."""
    opened = SupabaseClient(database.url, database.key or "")
    yield opened
    opened.close()


@pytest.fixture
def entries(supabase_client: SupabaseClient) -> Callable[[str], list[dict[str, Any]]]:
    """The rows of the ledger for a key."""

    def read(key: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = supabase_client.send(
            supabase_client.table("settlements").select("*").eq("idempotency_key", key)
        ).data
        return rows

    return read


@pytest.fixture
def producer(installed: Path, redis_db: Redis) -> QueueProducer:
    return QueueProducer(redis_db, Settings(_env_file=None))


@pytest.fixture
def key() -> str:
    """An idempotency key of this test's own, for the ledger forgets none."""
    return f"key-{uuid4()}"


@pytest.fixture
def start_worker(
    installed: Path, database: LocalServer, redis_url: str, tmp_path: Path
) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts a worker on the queue, by RQ's own command, with this runtime."""
    with ExitStack() as stack:

        def start(runtime: str = "processors.entry:Runtime") -> WorkerProcess:
            settings = {
                "REDIS_URL": redis_url,
                "SUPABASE_URL": database.url,
                "SUPABASE_SECRET_KEY": database.key or "",
                "QA_HOME": str(tmp_path / "home"),
                "QA_RUNTIME": runtime,
                "QUEUE_CONCURRENCY": "4",
            }
            process = WorkerProcess(tmp_path / "worker.log", queues=(QUEUE,), **settings)
            return stack.enter_context(process)

        yield start
