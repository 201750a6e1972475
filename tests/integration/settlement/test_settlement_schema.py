"""The example's operation, tried with what the document allows and with what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from redis import Redis
from schemathesis import GenerationMode

from qa_queue.api.app import create_app
from qa_queue.auth.tokens import Role, TokenStore
from qa_queue.services import Backend
from qa_queue.settings import load_settings
from qa_queue.store.memory import MemoryStore
from tests.support.schema import try_operation
from tests.support.serving import serving

EXAMPLES = 25


@pytest.fixture
def app(installed: Path, redis_db: Redis, redis_url: str, tmp_path: Path) -> Any:
    limits = {"qa_api_requests_per_minute": 1_000_000, "qa_api_checks_per_minute": 1_000_000}
    return create_app(Backend(load_settings(redis_url=redis_url, qa_home=tmp_path, **limits), MemoryStore()))


@pytest.fixture
def url(app: Any) -> Iterator[str]:
    with serving(app) as found:
        yield found


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_the_operation_answers_as_it_is_documented(
    mode: GenerationMode, app: Any, url: str, redis_db: Redis
) -> None:
    """Requests that the document allows are accepted, others are refused, and none fails."""
    token = TokenStore(redis_db).create("fuzz", Role.ADMIN)[1]
    operation = schemathesis.openapi.from_dict(app.openapi())["/api/v1/scan/verify"]["POST"]
    try_operation(operation, mode, url, token, examples=EXAMPLES)
