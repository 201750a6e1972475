"""The ledger: entries are posted once for a key and never changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import uuid4

from qa_queue.errors import ConflictError, SettingsError
from qa_queue.models import utc_now
from qa_queue.settings import Settings
from qa_queue.store.client import SupabaseClient
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
        """The entry as a job returns it."""
        return Settled(
            entry_id=self.id,
            idempotency_key=self.idempotency_key,
            amount=Decimal(self.amount_minor).scaleb(-2),
            posted_at=self.posted_at,
            fresh=fresh,
        )


class Ledger(Protocol):
    """Where settlements are posted."""

    def post(self, settlement: Settlement, job_id: str) -> Settled:
        """Post a settlement, unless its key was posted before: then that entry is given back.

        Raises:
            ConflictError: the key was posted for another settlement; trying again does not help.
            StoreError: the ledger cannot be used now.
        """


class MemoryLedger:
    """A ledger in memory, for tests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.entries: dict[str, Entry] = {}

    def post(self, settlement: Settlement, job_id: str) -> Settled:
        """Post a settlement once; see `Ledger`."""
        del job_id  # only the table shows it
        with self._lock:
            known = self.entries.get(settlement.idempotency_key)
            if known is not None:
                return same_or_refused(known, settlement)
            row = {**_row(settlement), "id": str(uuid4()), "posted_at": utc_now()}
            entry = Entry(**{name: row[name] for name in COLUMNS})
            self.entries[entry.idempotency_key] = entry
            return entry.settled(fresh=True)


class SupabaseLedger:
    """A ledger in a table of Supabase, whose unique key is what makes posting exactly-once."""

    def __init__(self, client: SupabaseClient) -> None:
        self._client = client

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings) -> Iterator[SupabaseLedger]:
        """The ledger that the settings name, while the block runs.

        Raises:
            SettingsError: Supabase is not set.
        """
        if not settings.supabase_url or not settings.supabase_secret_key:
            raise SettingsError("SUPABASE_URL and SUPABASE_SECRET_KEY are not both set, so there is no ledger.")
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
    """The entry that a key was posted for, if it is that of this settlement.

    Raises:
        ConflictError: it is another's.
    """
    wanted = _row(settlement)
    differing = sorted(name for name in wanted if getattr(known, name) != wanted[name])
    if differing:
        raise ConflictError(
            f"The key {known.idempotency_key!r} was posted for another settlement ({', '.join(differing)} differ): "
            "discard this job, and settle it under a key of its own."
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
