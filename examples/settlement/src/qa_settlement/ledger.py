"""The ledger: one entry for a key, which never changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import uuid4

from qa_queue import ConflictError, Settings, SupabaseClient, utc_now
from qa_settlement.models import Settled, Settlement

TABLE = "settlements"
COLUMNS = ("id", "idempotency_key", "user_id", "place_id", "mission_id", "amount_minor", "posted_at")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of the ledger."""

    id: str
    idempotency_key: str
    user_id: str
    place_id: str
    mission_id: str
    amount_minor: int
    posted_at: datetime

    def settled(self, *, fresh: bool) -> Settled:
        """Return the entry as the result of a job."""
        return Settled(
            entry_id=self.id,
            idempotency_key=self.idempotency_key,
            amount=Decimal(self.amount_minor).scaleb(-2),
            posted_at=self.posted_at,
            fresh=fresh,
        )


class Ledger(Protocol):
    """The store to which settlements are posted."""

    def post(self, settlement: Settlement, job_id: str) -> Settled:
        """Post a settlement and return its entry, or the entry of an earlier post with the same key.

        Raises:
            ConflictError: the key was posted for another settlement; a retry does not help.
            StoreError: the ledger is unavailable.
        """


class MemoryLedger:
    """A ledger in memory, for tests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.entries: dict[str, Entry] = {}

    def post(self, settlement: Settlement, job_id: str) -> Settled:
        """Post a settlement once; see `Ledger`."""
        del job_id  # only the table has it
        with self._lock:
            known = self.entries.get(settlement.idempotency_key)
            if known is not None:
                return same_or_refused(known, settlement)
            row = {**_row(settlement), "id": str(uuid4()), "posted_at": utc_now()}
            entry = Entry(**{name: row[name] for name in COLUMNS})
            self.entries[entry.idempotency_key] = entry
            return entry.settled(fresh=True)


class SupabaseLedger:
    """A ledger in a table of Supabase; the table's unique key ensures that each settlement is posted once."""

    def __init__(self, client: SupabaseClient) -> None:
        self._client = client

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings) -> Iterator[SupabaseLedger]:
        """Open the ledger that the settings name for the duration of the block.

        Raises:
            SettingsError: SUPABASE_URL or the key is not set.
        """
        client = SupabaseClient.from_settings(settings)
        try:
            yield cls(client)
        finally:
            client.close()

    def post(self, settlement: Settlement, job_id: str) -> Settled:
        """Post a settlement once; see `Ledger`."""
        row = {**_row(settlement), "metadata": settlement.metadata, "job_id": job_id}
        insert = self._client.table(TABLE).upsert(row, on_conflict="idempotency_key", ignore_duplicates=True)
        inserted = self._client.send(insert).data
        if inserted:
            return _entry(inserted[0]).settled(fresh=True)
        select = self._client.table(TABLE).select(*COLUMNS).eq("idempotency_key", settlement.idempotency_key)
        return same_or_refused(_entry(self._client.send(select).data[0]), settlement)


def same_or_refused(known: Entry, settlement: Settlement) -> Settled:
    """Return the entry of a key if it belongs to this settlement.

    Raises:
        ConflictError: it belongs to another.
    """
    wanted = _row(settlement)
    differing = sorted(name for name in wanted if getattr(known, name) != wanted[name])
    if differing:
        raise ConflictError(
            f"The key {known.idempotency_key!r} was posted for another settlement ({', '.join(differing)} differ): "
            "discard this job, and submit the settlement with a key of its own."
        )
    return known.settled(fresh=False)


def _row(settlement: Settlement) -> dict[str, Any]:
    return {
        "idempotency_key": settlement.idempotency_key,
        "user_id": settlement.user_id,
        "place_id": settlement.place_id,
        "mission_id": settlement.mission_id,
        "amount_minor": settlement.amount_minor,
    }


def _entry(row: dict[str, Any]) -> Entry:
    found = {name: row[name] for name in COLUMNS}
    return Entry(**found | {"posted_at": datetime.fromisoformat(row["posted_at"])})
