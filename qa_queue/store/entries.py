"""Entries of the record writer: their JSON form, their batches, and their delivery to a store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from qa_queue.errors import RowRefusedError, StoreError
from qa_queue.models import Frozen
from qa_queue.store.mapping import TABLES, parents_first, run_of
from qa_queue.store.protocol import Record, RunStore
from qa_queue.store.records import RunRecord
from qa_queue.store.sanitize import sanitize

_KINDS: dict[str, type[Frozen]] = {table: kind for kind, table in TABLES.items()}


@dataclass(frozen=True)
class RunChange:
    """New values of some columns of a run's row."""

    run_id: str
    fields: dict[str, Any]


Entry = Record | RunChange
Refusal = tuple[Entry, StoreError]


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """The result of a delivery: the entries that the store refused, or the outage that stopped it."""

    refused: Sequence[Refusal] = ()
    outage: StoreError | None = None


@dataclass
class WriteBatch:
    """Writes that may go together: first the records, parents first, then the changes of each run."""

    _records: dict[tuple[type, str], Record] = field(default_factory=dict)
    _changes: dict[str, list[RunChange]] = field(default_factory=dict)

    @property
    def records(self) -> list[Record]:
        """The records to upsert, the last one for each row."""
        return parents_first(self._records.values())

    @property
    def changes(self) -> list[RunChange]:
        """The changes to make once the records are stored."""
        return [change for changes in self._changes.values() for change in changes]

    def accepts(self, entry: Entry) -> bool:
        """Return whether the entry may join without overtaking another, as a run's row could."""
        return not isinstance(entry, RunRecord) or (
            (RunRecord, entry.id) not in self._records and entry.id not in self._changes
        )

    def add(self, entry: Entry) -> None:
        """Add the entry after the others."""
        if isinstance(entry, RunChange):
            self._add_change(self._changes.setdefault(entry.run_id, []), entry)
        else:
            self._records[type(entry), entry.id] = entry

    @staticmethod
    def _add_change(changes: list[RunChange], new: RunChange) -> None:
        if changes and _merges(changes[-1], new):
            new = RunChange(new.run_id, changes.pop().fields | new.fields)
        changes.append(new)


def coalesce(entries: Iterable[Entry]) -> list[WriteBatch]:
    """Return the entries as batches to be written one after the other; pure."""
    batches = [WriteBatch()]
    for entry in entries:
        if not batches[-1].accepts(entry):
            batches.append(WriteBatch())
        batches[-1].add(entry)
    return batches


def owner(entry: Entry) -> str | None:
    """Return the id of the run that an entry belongs to; None for cases and patterns."""
    return entry.run_id if isinstance(entry, RunChange) else run_of(entry)


def encode(entry: Entry) -> str:
    """Return an entry as one line of JSON."""
    if isinstance(entry, RunChange):
        document: dict[str, Any] = {"run": entry.run_id, "fields": entry.fields}
    else:
        document = {"table": TABLES[type(entry)], "row": sanitize(entry.model_dump())}
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))


def decode(text: str) -> Entry:
    """Return the entry that `encode` wrote.

    Raises:
        ValueError: the text is damaged, or has a table or a column that this version does not know.
    """
    document = json.loads(text)
    try:
        if "run" in document:
            return RunChange(document["run"], document["fields"])
        record: Any = _KINDS[document["table"]].model_validate(document["row"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"unknown entry: {error}") from error
    return record  # type: ignore[no-any-return]


def deliver(store: RunStore, entries: Sequence[Entry]) -> Delivery:
    """Write the entries in order; set aside those whose content the store refuses, and stop at any other error.

    After an outage the caller delivers all of them again. That is safe: each write is an upsert or sets values.
    """
    refused: list[Refusal] = []
    try:
        for batch in coalesce(entries):
            refused += _save(store, batch.records)
            for change in batch.changes:
                refused += _update(store, change)
    except StoreError as error:
        return Delivery(outage=error)
    except Exception as error:  # noqa: BLE001 - a bug must reach the caller of flush and not end the writer's thread
        return Delivery(outage=StoreError(f"a record could not be written: {type(error).__name__}: {error}."))
    return Delivery(refused=refused)


def _save(store: RunStore, records: list[Record]) -> list[Refusal]:
    """Save the records; if they are refused together, find by halves those that are refused alone."""
    if not records:
        return []
    try:
        store.save(records)
    except RowRefusedError as error:
        if len(records) == 1:
            return [(records[0], error)]
        half = len(records) // 2
        return [*_save(store, records[:half]), *_save(store, records[half:])]
    return []


def _update(store: RunStore, change: RunChange) -> list[Refusal]:
    try:
        store.update_run(change.run_id, **change.fields)
    except RowRefusedError as error:
        return [(change, error)]
    return []


def _merges(old: RunChange, new: RunChange) -> bool:
    """Return whether the store accepts or drops both changes alike.

    It drops a whole change of an execution that a later one has followed, and one that would revive an ended run.
    """
    return all(old.fields.get(name) == new.fields.get(name) for name in ("status", "fence"))
