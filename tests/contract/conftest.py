"""The stores that keep one contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qa_queue.store.memory import MemoryStore
from qa_queue.store.protocol import RunStore
from qa_queue.store.supabase import SupabaseStore


@pytest.fixture(scope="module", params=["memory", "supabase"])
def store(request: pytest.FixtureRequest) -> Iterator[RunStore]:
    """Each store in turn; tests use cases and runs of their own."""
    if request.param == "memory":
        yield MemoryStore()
        return
    server = request.getfixturevalue("supabase")
    real = SupabaseStore(server.url, server.key)
    yield real
    real.close()
