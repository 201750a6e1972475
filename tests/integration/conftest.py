"""What tests of several packages start."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from qa_queue.local.process import LocalServer
from tests.support.program import Program


@pytest.fixture
def program(redis_db: Redis, redis_url: str, supabase: LocalServer, tmp_path: Path) -> Program:
    """`qa-queue` on the session's Redis and Supabase."""
    settings = {
        "REDIS_URL": redis_url,
        "SUPABASE_URL": supabase.url,
        "SUPABASE_SECRET_KEY": supabase.key or "",
        "QA_HOME": str(tmp_path / "home"),
    }
    return Program(tmp_path, settings)
