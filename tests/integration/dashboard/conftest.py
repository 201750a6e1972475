"""rq-dashboard as it is served, in a process of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from redis import Redis

from tests.support.poll import wait_until
from tests.support.processes import SCRIPTS, ServiceProcess

LOGIN = ("qa", "s3cret")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def dashboard(served: str, redis_db: Redis) -> str:
    """URL of a served dashboard on an empty Redis; user and password are LOGIN."""
    return served


@pytest.fixture
def guarded(redis_db: Redis, redis_url: str, tmp_path: Path) -> Iterator[str]:
    """URL of a dashboard of one test, which may lock its users out."""
    with serving(redis_url, tmp_path) as url:
        yield url


@pytest.fixture(scope="module")
def served(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a dashboard that the tests of a file share."""
    with serving(redis_url, tmp_path_factory.mktemp("dashboard")) as url:
        yield url


@contextmanager
def serving(redis_url: str, folder: Path) -> Iterator[str]:
    """Serve a dashboard with its log in `folder`; return its URL."""
    port = free_port()
    env = {
        "REDIS_URL": redis_url,
        "QA_DASHBOARD_PORT": str(port),
        "QA_DASHBOARD_PASSWORD": LOGIN[1],
        "SUPABASE_URL": "http://127.0.0.1:1",  # where nothing answers
        "SUPABASE_SECRET_KEY": "sb_secret_x",
    }
    url = f"http://127.0.0.1:{port}"
    command = (SCRIPTS / "qa-queue", "dashboard")
    with ServiceProcess(folder / "dashboard.log", *command, env=env, forked="qa_queue.cli"):
        wait_until(lambda: _answers(url), timeout=60, what="an answer of the dashboard")
        yield url


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 401
    except httpx.TransportError:
        return False
