"""An idempotency key belongs to one request: the same again gets the same run, another with the key is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis

from qa_queue.errors import ConflictError

KEEP_S = 24 * 3600


def fingerprint(document: Any) -> str:
    """SHA-256 of what was asked for, as JSON."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


@contextmanager
def used_for(connection: Redis, key: str | None, request: str) -> Iterator[None]:
    """Hold the key for this request (its fingerprint) for 24 h; given back if the block fails and took it.

    Raises:
        ConflictError: the key was used for another request.
    """
    if key is None:
        yield
        return
    name = f"qa:idempotency:request:{hashlib.sha256(key.encode()).hexdigest()}"
    fresh = connection.set(name, request, nx=True, ex=KEEP_S)
    held: bytes | None = connection.get(name)  # type: ignore[assignment]
    if held is not None and held.decode() != request:
        raise ConflictError("This Idempotency-Key was used for another request within 24 h: use a new key.")
    try:
        yield
    except BaseException:
        if fresh:
            connection.delete(name)
        raise
