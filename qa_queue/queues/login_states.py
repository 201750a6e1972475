"""States of logins: cookies and storage of a browser, encrypted, that runs share until they expire.

One run creates a state at a time, under a lease; the others wait for it. A run that dies loses its lease soon, and
a fence keeps a run that only seemed dead from overwriting the state of its successor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from redis import Redis

from qa_queue.models import utc_now
from qa_queue.queues.keys import LOGIN_PREFIX
from qa_queue.redis import explained
from qa_queue.redis.scripts import LuaScript

LEASE_MS = 15_000
FAILURE_MS = 60_000
COUNTER_MS = 7 * 24 * 3_600_000

_FAIL = LuaScript.load("qa_queue.queues", "login_fail")
_CLAIM = LuaScript.load("qa_queue.queues", "login_claim")
_LEASE = LuaScript.load("qa_queue.queues", "login_lease")
_STORE = LuaScript.load("qa_queue.queues", "login_store")


@dataclass(frozen=True, kw_only=True)
class StoredLogin:
    """The encrypted state of a login, and the fence of the run that created it."""

    fence: int
    sealed: bytes = field(repr=False)
    created_at: datetime


class LoginStates(Protocol):
    """The states by the digest of their login; see `RedisLoginStates`."""

    def read(self, digest: str) -> StoredLogin | None:
        """Return the state that is stored now."""

    def claim(self, digest: str, unusable: int = 0) -> int | None:
        """Return the fence of a lease to create the state; `unusable` is that of a state not to be used any more.

        Returns None while another run has the lease, or where it stored another state meanwhile: read again.
        """

    def renew(self, digest: str, fence: int) -> bool:
        """Keep a lease for another 15 s; False where it was lost."""

    def release(self, digest: str, fence: int) -> None:
        """End a lease, so that another run may create the state."""

    def store(self, digest: str, fence: int, sealed: bytes, keep_ms: int) -> bool:
        """Store a state and end its lease; False, and nothing stored, where the lease was lost."""

    def fail(self, digest: str, fence: int, sealed: bytes) -> bool:
        """End a lease with a failure, for the runs that wait; False, and nothing kept, where the lease was lost."""

    def failure(self, digest: str) -> bytes | None:
        """Return the newest failure, which is kept for a minute."""


class RedisLoginStates:
    """`LoginStates` in Redis, for the workers of all machines.

    Raises:
        RedisUnavailableError: Redis failed; of every method.
    """

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def read(self, digest: str) -> StoredLogin | None:
        """See `LoginStates`."""
        with explained(self._connection):
            found: dict[Any, Any] = self._connection.hgetall(_state(digest))
        if not found:
            return None
        created = datetime.fromtimestamp(int(found[b"created_ms"]) / 1000, UTC)
        return StoredLogin(fence=int(found[b"fence"]), sealed=found[b"sealed"], created_at=created)

    def claim(self, digest: str, unusable: int = 0) -> int | None:
        """See `LoginStates`."""
        keys = [_state(digest), _lease(digest), f"{LOGIN_PREFIX}fence:{digest}"]
        return int(self._run(_CLAIM, keys, [unusable, LEASE_MS, COUNTER_MS])) or None

    def renew(self, digest: str, fence: int) -> bool:
        """See `LoginStates`."""
        return bool(self._run(_LEASE, [_lease(digest)], [fence, LEASE_MS]))

    def release(self, digest: str, fence: int) -> None:
        """See `LoginStates`."""
        self._run(_LEASE, [_lease(digest)], [fence, 0])

    def store(self, digest: str, fence: int, sealed: bytes, keep_ms: int) -> bool:
        """See `LoginStates`."""
        created_ms = int(utc_now().timestamp() * 1000)
        arguments = [fence, sealed, created_ms, keep_ms]
        return bool(self._run(_STORE, [_state(digest), _lease(digest)], arguments))

    def fail(self, digest: str, fence: int, sealed: bytes) -> bool:
        """See `LoginStates`."""
        return bool(self._run(_FAIL, [_lease(digest), _failure(digest)], [fence, sealed, FAILURE_MS]))

    def failure(self, digest: str) -> bytes | None:
        """See `LoginStates`."""
        with explained(self._connection):
            found: Any = self._connection.get(_failure(digest))
        return found if isinstance(found, bytes) else None

    def _run(self, script: LuaScript, keys: list[str], arguments: list[Any]) -> Any:
        with explained(self._connection):
            return script.run(self._connection, keys, arguments)


def _state(digest: str) -> str:
    return f"{LOGIN_PREFIX}state:{digest}"


def _lease(digest: str) -> str:
    return f"{LOGIN_PREFIX}lease:{digest}"


def _failure(digest: str) -> str:
    return f"{LOGIN_PREFIX}failure:{digest}"


class MemoryLoginStates:
    """`LoginStates` in the memory of one process; `now` tells the time."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._states: dict[str, tuple[StoredLogin, datetime]] = {}
        self._leases: dict[str, tuple[int, datetime]] = {}
        self._fences: dict[str, int] = {}
        self._failures: dict[str, tuple[bytes, datetime]] = {}

    def read(self, digest: str) -> StoredLogin | None:
        """See `LoginStates`."""
        found = self._states.get(digest)
        return found[0] if found and found[1] > self._now() else None

    def claim(self, digest: str, unusable: int = 0) -> int | None:
        """See `LoginStates`."""
        stored = self.read(digest)
        if (stored and stored.fence != unusable) or self._holder(digest):
            return None
        fence = self._fences[digest] = self._fences.get(digest, 0) + 1
        self._leases[digest] = fence, self._after(LEASE_MS)
        return fence

    def renew(self, digest: str, fence: int) -> bool:
        """See `LoginStates`."""
        held = self._holder(digest) == fence
        if held:
            self._leases[digest] = fence, self._after(LEASE_MS)
        return held

    def release(self, digest: str, fence: int) -> None:
        """See `LoginStates`."""
        if self._holder(digest) == fence:
            del self._leases[digest]

    def store(self, digest: str, fence: int, sealed: bytes, keep_ms: int) -> bool:
        """See `LoginStates`."""
        if self._holder(digest) != fence:
            return False
        del self._leases[digest]
        stored = StoredLogin(fence=fence, sealed=sealed, created_at=self._now())
        self._states[digest] = stored, self._after(keep_ms)
        return True

    def fail(self, digest: str, fence: int, sealed: bytes) -> bool:
        """See `LoginStates`."""
        if self._holder(digest) != fence:
            return False
        del self._leases[digest]
        self._failures[digest] = sealed, self._after(FAILURE_MS)
        return True

    def failure(self, digest: str) -> bytes | None:
        """See `LoginStates`."""
        found = self._failures.get(digest)
        return found[0] if found and found[1] > self._now() else None

    def _holder(self, digest: str) -> int | None:
        fence, end = self._leases.get(digest, (None, self._now()))
        return fence if end > self._now() else None

    def _after(self, milliseconds: int) -> datetime:
        return self._now() + timedelta(milliseconds=milliseconds)
