"""Cases of pytest tests over HTTP: code on the workers, which the operator has to allow."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from redis import Redis

from qa_queue.auth.tokens import Role, TokenStore

CASE = {"name": "Sign in", "pytest": {"root": "/srv/shop", "tests": ["test_login.py"]}}


@pytest.mark.parametrize(
    ("path", "body"),
    [("/runs", {"case": CASE}), ("/runs/batch", {"runs": [{"case": CASE}]}), ("/cases", {"case": CASE})],
)
def test_a_case_of_pytest_tests_is_refused_unless_the_operator_allows_it(
    runner: httpx.Client, serve: Callable[..., str], redis_db: Redis, path: str, body: dict[str, object]
) -> None:
    """The message names both ways out."""
    refused = runner.post(f"/api/v1{path}", json=body)
    assert refused.status_code == 422
    assert "QA_API_SUITES=true" in refused.text
    assert "`qa-queue run`" in refused.text
    _, token = TokenStore(redis_db).create("other", Role.RUN)
    headers = {"Authorization": f"Bearer {token}"}
    allowed = httpx.post(f"{serve(qa_api_suites=True)}/api/v1{path}", json=body, headers=headers)
    assert allowed.status_code == 201
