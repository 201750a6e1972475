"""Logins of people to the pages: a link that works once, the session that it or a token opens, and back-off.

Both are random texts of 256 bits, of which Redis keeps the SHA-256 until they expire. So there is no signing key
that could leak, a logout holds everywhere, and all processes of the service know the same logins.

Cookies ignore ports: every site on 127.0.0.1 receives the cookies of every other, the tested ones included. So a
session is bound to the host name under which it was opened. On loopback that is a random name below
`qa-queue.localhost`, which browsers resolve to this machine themselves: no other site can learn it, so no browser
sends the cookie elsewhere, and the cookie without the name is worthless.

The first failed logins of an account or an address are free; then each one doubles the time until the next attempt
is checked. A caller with a valid token is identified before that, so no number of failures keeps a token out.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError
from redis import Redis

from qa_queue.auth.tokens import Identity, Role, TokenStore
from qa_queue.models import Frozen

FREE_FAILURES = 5
MAX_BACKOFF_S = 60.0
FAILURES_KEPT_S = 900.0  # after the last failure
MAX_FAILURE_KEYS = 10_000  # kept in memory; the one that was quiet for longest is forgotten

LINK_S = 3600
SESSION_S = 12 * 3600
OPERATOR = Identity(name="operator", role=Role.ADMIN)
PAGES_DOMAIN = "qa-queue.localhost"


class LoginSession(Frozen):
    """A login of a browser, valid under one host name."""

    identity: Identity
    host: str


class Logins:
    """Links and sessions in Redis.

    Every method raises `redis.exceptions.RedisError` when Redis fails.
    """

    def __init__(self, connection: Redis) -> None:
        self._connection = connection
        self._tokens = TokenStore(connection)

    def invite(self, identity: Identity = OPERATOR) -> str:
        """Return a ticket that opens one session of this identity within the hour."""
        return self._keep("link", identity.model_dump_json(), LINK_S)

    def redeem(self, ticket: str, host: str) -> str | None:
        """Return the session that a ticket opens, once; None for a ticket that is unknown, used or expired."""
        found: bytes | None = self._connection.getdel(_key("link", ticket))  # type: ignore[assignment]
        return self.open(Identity.model_validate_json(found), host) if found else None

    def open(self, identity: Identity, host: str) -> str:
        """Return a new session of this identity under this host name, for 12 h."""
        return self._keep(
            "session", LoginSession(identity=identity, host=host.lower()).model_dump_json(), SESSION_S
        )

    def find(self, session: str, host: str) -> Identity | None:
        """Return whose session it is; None when it is unknown, over, of another host, or its token revoked."""
        found: bytes | None = self._connection.get(_key("session", session))  # type: ignore[assignment]
        known = _session(found) if found else None
        if known is None or known.host != host.lower():
            return None
        token_id = known.identity.token_id
        return self._tokens.holder(token_id) if token_id else known.identity

    def close(self, session: str) -> None:
        """End a session."""
        self._connection.delete(_key("session", session))

    def _keep(self, kind: str, value: str, seconds: int) -> str:
        return keep(self._connection, kind, value, seconds)


class FileLinks:
    """Links to one file each that need no login, until they expire. Raises `RedisError` as `Logins` does."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def create(self, run_id: str, artifact_id: str, seconds: int) -> str:
        """Return a ticket for this artifact."""
        return keep(self._connection, "file", f"{run_id} {artifact_id}", seconds)

    def find(self, ticket: str) -> tuple[str, str] | None:
        """Return the run and the artifact of a ticket; None for one that is unknown or expired."""
        found: bytes | None = self._connection.get(_key("file", ticket))  # type: ignore[assignment]
        run_id, _, artifact_id = found.decode().partition(" ") if found else ("", "", "")
        return (run_id, artifact_id) if found else None


def keep(connection: Redis, kind: str, value: str, seconds: int) -> str:
    """Keep a value for a time under a random text, and return the text."""
    text = secrets.token_urlsafe(32)
    connection.set(_key(kind, text), value, ex=seconds)
    return text


def new_host() -> str:
    """Return a host name of loopback that no one can guess, for one login."""
    return f"{secrets.token_hex(10)}.{PAGES_DOMAIN}"


def login_link(connection: Redis, port: int) -> str:
    """Return a link to the pages on this port that logs in one browser as the operator, once within the hour."""
    return f"http://{new_host()}:{port}/login?ticket={Logins(connection).invite()}"


def _session(text: bytes) -> LoginSession | None:
    """Return the session; None for one of an earlier version, which was bound to no host."""
    try:
        return LoginSession.model_validate_json(text)
    except ValidationError:
        return None


def _key(kind: str, text: str) -> str:
    return f"qa:{kind}:{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()}"


@dataclass(frozen=True)
class Failures:
    """Failed logins of one account or address; `last` is the time of the latest one, in seconds."""

    count: int
    last: float


def after_failure(failures: Failures | None, now: float) -> Failures:
    """Return the failures after one more."""
    known = failures is not None and now - failures.last < FAILURES_KEPT_S
    return Failures(failures.count + 1 if failures and known else 1, now)


def wait_s(failures: Failures | None, now: float) -> float:
    """Return the seconds until the next attempt is looked at; 0 when it may be made now."""
    if failures is None or failures.count <= FREE_FAILURES or now - failures.last >= FAILURES_KEPT_S:
        return 0.0
    pause = min(MAX_BACKOFF_S, 2.0 ** min(failures.count - FREE_FAILURES - 1, 16))
    return max(0.0, failures.last + pause - now)


class FailureLimiter:
    """Failures by key, in the memory of this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, Failures] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, *keys: str) -> int:
        """Return the whole seconds until an attempt with these keys is looked at; 0 when it may be made now."""
        now = self._clock()
        with self._lock:
            return math.ceil(max(wait_s(self._failures.get(key), now) for key in keys))

    def count(self, *keys: str) -> int:
        """Return the failures of the key that has most."""
        with self._lock:
            return max(found.count if (found := self._failures.get(key)) else 0 for key in keys)

    def failed(self, *keys: str) -> int:
        """Count a failed attempt; return the whole seconds until the next one is looked at."""
        now = self._clock()
        with self._lock:
            for key in keys:
                self._failures[key] = after_failure(self._failures.pop(key, None), now)
            while len(self._failures) > MAX_FAILURE_KEYS:
                self._failures.popitem(last=False)
        return self.wait_s(*keys)
