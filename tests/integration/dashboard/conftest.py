"""rq-dashboard as it is served, in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from redis import Redis

from tests.support.poll import wait_until

LOGIN = ("qa", "s3cret")
ROOT = Path(__file__).resolve().parents[3]
SERVE = (
    "from qa_queue.api.dashboard import serve; from qa_queue.settings import load_settings; serve(load_settings())"
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def dashboard(served: str, redis_db: Redis) -> str:
    """URL of a served dashboard on an empty Redis; user and password are LOGIN."""
    return served


@pytest.fixture
def guarded(redis_db: Redis, redis_url: str) -> Iterator[str]:
    """URL of a dashboard of one test, which may lock its users out."""
    with serving(redis_url) as url:
        yield url


@pytest.fixture(scope="module")
def served(redis_url: str) -> Iterator[str]:
    """URL of a dashboard that the tests of a file share."""
    with serving(redis_url) as url:
        yield url


@contextmanager
def serving(redis_url: str) -> Iterator[str]:
    """Serve a dashboard; return its URL."""
    port = free_port()
    env = {
        **os.environ,
        "REDIS_URL": redis_url,
        "QA_DASHBOARD_PORT": str(port),
        "QA_DASHBOARD_PASSWORD": LOGIN[1],
        "SUPABASE_URL": "http://127.0.0.1:1",  # where nothing answers
        "SUPABASE_SECRET_KEY": "sb_secret_x",
    }
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([sys.executable, "-c", SERVE], cwd=ROOT, env=env)
    try:
        wait_until(lambda: _answers(url), timeout=30, what="an answer of the dashboard")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 401
    except httpx.TransportError:
        return False
