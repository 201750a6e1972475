"""Recording changes in the audit log: before each change an entry in Redis, behind it a row in the store.

No change goes unrecorded. An entry in Redis becomes a row once the change has ended; one whose process has ended
before becomes a row with the outcome `unknown`. While the store is unavailable, changes that need Redis alone go on
(a token can be revoked, a queue paused), and their entries wait in Redis. Without Redis there is no change.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from pydantic import ValidationError
from redis import Redis
from redis.exceptions import RedisError

from qa_queue.auth.tokens import Identity
from qa_queue.errors import InputError, SettingsError, StoreError
from qa_queue.models import utc_now
from qa_queue.store.audit import AuditKind, AuditOutcome, AuditRecord
from qa_queue.store.protocol import RunStore

WAITING_KEY = "qa:audit"  # hash of entries that are not rows yet, by id
LONGEST_CHANGE_S = 600.0  # after which the process of an open entry is taken for lost
MAX_TEXT = 200  # characters of a value, and of the name of an object
MAX_VALUES = 30
STORED_AT_ONCE = 500
MASK = "***"
_log = logging.getLogger(__name__)


@dataclass
class Change:
    """A change that is made now; it may add to its entry until it has ended."""

    object: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


class AuditLog:
    """The audit log of one Redis and one store, which is opened when a row is stored.

    Every method raises `redis.exceptions.RedisError` when Redis fails.
    """

    def __init__(self, connection: Redis, store: Callable[[], RunStore]) -> None:
        self._connection = connection
        self._open_store = store

    @contextmanager
    def change(self, by: Identity, kind: AuditKind, object_: str, **before: Any) -> Iterator[Change]:
        """Record the change that the block makes; one that is refused (`InputError`) leaves no row."""
        change = Change(object_, before or None)
        opened = AuditRecord(
            id=str(uuid4()),
            happened_at=utc_now(),
            actor=by.name[:MAX_TEXT],
            token_id=by.token_id,
            address=by.address,
            kind=kind,
            object=object_[:MAX_TEXT],
            before=_short(before),
        )
        self._connection.hset(WAITING_KEY, opened.id, opened.model_dump_json())
        try:
            yield change
        except InputError:
            self._connection.hdel(WAITING_KEY, opened.id)
            raise
        except Exception as error:
            self._close(opened, change, "failed", f"{type(error).__name__}: {error}")
            raise
        self._close(opened, change, "done")

    def note(self, by: Identity, kind: AuditKind, object_: str, **after: Any) -> None:
        """Record what has happened already, such as a login."""
        with self.change(by, kind, object_) as change:
            change.after = after

    def store_waiting(self) -> int:
        """Store the entries that wait, and return their number; those of changes that go on stay.

        Raises:
            StoreError: the store failed; they still wait.
        """
        found: dict[bytes, bytes] = self._connection.hgetall(WAITING_KEY)  # type: ignore[assignment]
        lost_before = utc_now() - timedelta(seconds=LONGEST_CHANGE_S)
        entries = {key: entry for key, text in found.items() if (entry := _entry(key, text)) is not None}
        ready = {
            key: one for key, one in entries.items() if one.outcome != "unknown" or one.happened_at < lost_before
        }
        for key in list(ready)[:STORED_AT_ONCE]:
            self._open_store().audit.add([ready[key]])
            self._connection.hdel(WAITING_KEY, key)
        return min(len(ready), STORED_AT_ONCE)

    def _close(self, opened: AuditRecord, change: Change, outcome: AuditOutcome, error: str | None = None) -> None:
        """Store the row of a change that has ended, or let it wait in Redis."""
        row = opened.model_copy(
            update={
                "object": change.object[:MAX_TEXT],
                "before": _short(change.before),
                "after": _short(change.after),
                "outcome": outcome,
                "error": error and error[:MAX_TEXT],
            }
        )
        try:
            self._open_store().audit.add([row])
        except (StoreError, SettingsError) as problem:
            _log.warning("The audit row of %s %s waits in Redis: %s", row.kind.value, row.object, problem)
            self._wait(row)
        else:
            self._forget(row)

    def _wait(self, row: AuditRecord) -> None:
        try:
            self._connection.hset(WAITING_KEY, row.id, row.model_dump_json())
        except RedisError as error:  # the change is made, and its entry stands there as `unknown`
            _log.warning("The end of %s %s is not recorded: %s", row.kind.value, row.object, error)

    def _forget(self, row: AuditRecord) -> None:
        try:
            self._connection.hdel(WAITING_KEY, row.id)
        except RedisError as error:  # stored again later, which changes nothing
            _log.debug("The entry of %s stays in Redis: %s", row.id, error)


def masked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values that may be confidential: numbers and flags as they are, every text masked."""
    return {
        name: value if value is None or isinstance(value, (bool, int, float)) else MASK
        for name, value in values.items()
    }


def _short(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not values:
        return None
    return {name: _shortened(value) for name, value in list(values.items())[:MAX_VALUES]}


def _shortened(value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            return _short(value)
        case list() | tuple() | set() | frozenset():
            return [_shortened(one) for one in list(value)[:MAX_VALUES]]
        case _:
            text = str(value)
            return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def _entry(key: bytes, text: bytes) -> AuditRecord | None:
    try:
        return AuditRecord.model_validate_json(text)
    except ValidationError:
        _log.warning(
            "The audit entry %s cannot be read: another version of qa-queue wrote it",
            key.decode("ascii", "replace"),
        )
        return None
