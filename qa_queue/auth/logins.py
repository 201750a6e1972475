"""Logins of people to the pages: a link that works once, and the session that it or a token opens.

Both are random texts of 256 bits of which Redis keeps the SHA-256 until they expire, so there is no key that could
leak, whoever logs out is out, and every process of the service knows the same logins.
"""

from __future__ import annotations

import hashlib
import secrets

from redis import Redis

from qa_queue.auth.tokens import Identity, Role, TokenStore

LINK_S = 3600
SESSION_S = 12 * 3600
OPERATOR = Identity(name="operator", role=Role.ADMIN)


class Logins:
    """Links and sessions in Redis.

    Every method raises `redis.exceptions.RedisError` when Redis fails.
    """

    def __init__(self, connection: Redis) -> None:
        self._connection = connection
        self._tokens = TokenStore(connection)

    def invite(self, identity: Identity = OPERATOR) -> str:
        """A ticket that opens one session of this identity within the hour."""
        return self._keep("link", identity, LINK_S)

    def redeem(self, ticket: str) -> str | None:
        """The session that a ticket opens, once; None for a ticket that is unknown, used or expired."""
        found: bytes | None = self._connection.getdel(_key("link", ticket))  # type: ignore[assignment]
        return self.open(Identity.model_validate_json(found)) if found else None

    def open(self, identity: Identity) -> str:
        """A session of this identity for 12 h."""
        return self._keep("session", identity, SESSION_S)

    def find(self, session: str) -> Identity | None:
        """Whose session this is; None when it is unknown, over, or its token was revoked."""
        found: bytes | None = self._connection.get(_key("session", session))  # type: ignore[assignment]
        if found is None:
            return None
        identity = Identity.model_validate_json(found)
        return self._tokens.holder(identity.token_id) if identity.token_id else identity

    def close(self, session: str) -> None:
        """End a session."""
        self._connection.delete(_key("session", session))

    def _keep(self, kind: str, identity: Identity, seconds: int) -> str:
        text = secrets.token_urlsafe(32)
        self._connection.set(_key(kind, text), identity.model_dump_json(), ex=seconds)
        return text


def login_link(connection: Redis, port: int) -> str:
    """A link to the pages on this port that logs one browser in as the operator, once and within the hour."""
    return f"http://127.0.0.1:{port}/login?ticket={Logins(connection).invite()}"


def _key(kind: str, text: str) -> str:
    return f"qa:{kind}:{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()}"
