"""The service's own pages over a real Redis and the store's twin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from redis import Redis

from qa_queue.api.app import create_app
from qa_queue.services import Backend
from qa_queue.settings import load_settings
from qa_queue.store.memory import MemoryStore
from tests.support.serving import serving


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def pages(redis_db: Redis, redis_url: str, store: MemoryStore, tmp_path: Path) -> Iterator[httpx.Client]:
    settings = load_settings(redis_url=redis_url, qa_home=tmp_path, qa_api_open_on_loopback=True)
    with serving(create_app(Backend(settings, store))) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client
