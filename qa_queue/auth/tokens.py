"""Tokens of the HTTP API: who may read, run, or administrate.

They are kept in one Redis hash, not in a table: each request asks for one, so it has to cost one fast round trip,
and nothing else refers to them. A Redis that is emptied forgets them, which locks people out and lets no one in.
Only the SHA-256 of a token is kept; the token itself has 256 random bits, so no slow hash is needed to protect it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from hmac import compare_digest

from redis import Redis

from qa_queue.models import Frozen, Role, utc_now

__all__ = ["KEY", "Identity", "Role", "TokenInfo", "TokenScope", "TokenStore"]

PREFIX = "qaq"
KEY = "qa:tokens"
_NO_HASH = "0" * 64


class TokenScope(Frozen):
    """Limits of a token beside its role: to stored cases, by id, key, name or tag, and to hosts.

    A token with limits starts, reruns and cancels runs, and changes nothing else.
    """

    cases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    @property
    def stored_only(self) -> bool:
        """True where a case has to be a stored one, because its name or tags decide."""
        return bool(self.cases or self.tags)

    def covers(self, names: Collection[str], tags: Collection[str]) -> bool:
        """Return True for a case with one of these names and these tags."""
        return not self.stored_only or bool({*self.cases} & {*names} or {*self.tags} & {*tags})


class Identity(Frozen):
    """The caller of a request. `token_id` is None for a login without a token, `scope` for one without limits.

    `address` is that of the client; None at the command line.
    """

    name: str
    role: Role
    token_id: str | None = None
    scope: TokenScope | None = None
    address: str | None = None

    @property
    def stored_only(self) -> bool:
        """True if the caller is limited to stored cases."""
        return self.scope is not None and self.scope.stored_only


class TokenInfo(Frozen):
    """Description of a token; never the token itself."""

    id: str
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None = None
    scope: TokenScope | None = None

    def valid_at(self, now: datetime) -> bool:
        """Return whether it has not expired."""
        return self.expires_at is None or now < self.expires_at


class _Stored(TokenInfo):
    hash: str


class TokenStore:
    """The tokens in Redis.

    Every method raises `redis.exceptions.RedisError` when Redis fails.
    """

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def create(
        self, name: str, role: Role, lifetime: timedelta | None = None, scope: TokenScope | None = None
    ) -> tuple[TokenInfo, str]:
        """A new token: what is known of it, and its text, which is shown this once and kept nowhere."""
        now, token_id = utc_now(), secrets.token_hex(6)
        text = f"{PREFIX}_{token_id}_{secrets.token_urlsafe(32)}"
        info = TokenInfo(
            id=token_id,
            name=name,
            role=role,
            created_at=now,
            expires_at=None if lifetime is None else now + lifetime,
            scope=scope,
        )
        stored = _Stored(**info.model_dump(), hash=_hash(text))
        self._connection.hset(KEY, token_id, stored.model_dump_json())
        return info, text

    def list_all(self) -> list[TokenInfo]:
        """Every token, the oldest first; expired ones too, until they are revoked."""
        found: Iterable[bytes] = self._connection.hvals(KEY)  # type: ignore[assignment]
        tokens = [TokenInfo(**_Stored.model_validate_json(text).model_dump(exclude={"hash"})) for text in found]
        return sorted(tokens, key=lambda token: (token.created_at, token.id))

    def revoke(self, token_id: str) -> bool:
        """Make a token worthless at once, with the logins made with it; False when there was none."""
        return bool(self._connection.hdel(KEY, token_id))

    def identify(self, text: str) -> Identity | None:
        """Whose token this is; None for one that is unknown, wrong, revoked or expired."""
        stored = self._stored(id_of(text))
        right = compare_digest(_hash(text), stored.hash if stored else _NO_HASH)
        return _identity(stored) if stored and right else None

    def holder(self, token_id: str) -> Identity | None:
        """Whose token has this id, for a login made with it; None once it is revoked or expired."""
        stored = self._stored(token_id)
        return _identity(stored) if stored else None

    def _stored(self, token_id: str) -> _Stored | None:
        found: bytes | None = self._connection.hget(KEY, token_id)  # type: ignore[assignment]
        stored = _Stored.model_validate_json(found) if found else None
        return stored if stored and stored.valid_at(utc_now()) else None


def id_of(text: str) -> str:
    """Return the id in the text of a token; empty for a text that is not one."""
    parts = text.strip().split("_", 2)
    return parts[1] if len(parts) == 3 and parts[0] == PREFIX else ""


def _identity(token: TokenInfo) -> Identity:
    return Identity(name=token.name, role=token.role, token_id=token.id, scope=token.scope)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
