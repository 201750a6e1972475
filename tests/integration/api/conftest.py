"""The whole HTTP side on a real server, over a real Redis and the store's twin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from qa_queue.api.app import create_app
from qa_queue.auth.tokens import Role, TokenStore
from qa_queue.services import Backend
from qa_queue.settings import load_settings
from qa_queue.store.memory import MemoryStore
from qa_queue.store.protocol import RunStore
from tests.support.serving import client, serving


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def serve(redis_db: Redis, redis_url: str, store: MemoryStore, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts a server with these settings; returns its URL."""
    with ExitStack() as stack:

        def start(store: RunStore = store, **settings: Any) -> str:
            loaded = load_settings(**{"redis_url": redis_url, "qa_home": tmp_path, **settings})
            return stack.enter_context(serving(create_app(Backend(loaded, store))))

        yield start


@pytest.fixture
def url(serve: Callable[..., str]) -> str:
    """A server with the settings as they come."""
    return serve()


@pytest.fixture
def client_of(url: str, redis_db: Redis) -> Iterator[Callable[[Role], httpx.Client]]:
    """A client with a fresh token of a role; its user is named after the role."""
    with ExitStack() as stack:

        def make(role: Role) -> httpx.Client:
            _, text = TokenStore(redis_db).create(role.value, role)
            headers = {"Authorization": f"Bearer {text}"}
            return stack.enter_context(client(url, headers=headers, timeout=20))

        yield make


@pytest.fixture
def reader(client_of: Callable[[Role], httpx.Client]) -> httpx.Client:
    return client_of(Role.READ)


@pytest.fixture
def runner(client_of: Callable[[Role], httpx.Client]) -> httpx.Client:
    return client_of(Role.RUN)


@pytest.fixture
def admin(client_of: Callable[[Role], httpx.Client]) -> httpx.Client:
    return client_of(Role.ADMIN)
