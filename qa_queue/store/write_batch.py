"""Many small writes as few large ones, with the same outcome. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from qa_queue.store.mapping import parents_first, run_of
from qa_queue.store.protocol import Record
from qa_queue.store.records import RunRecord


@dataclass(frozen=True)
class RunChange:
    """New values of some columns of a run's row."""

    run_id: str
    fields: dict[str, Any]


Entry = Record | RunChange


@dataclass
class WriteBatch:
    """Writes that may go together: first the records, parents first, then the changes of each run."""

    _records: dict[tuple[type, str], Record] = field(default_factory=dict)
    _changes: dict[str, list[RunChange]] = field(default_factory=dict)

    @property
    def records(self) -> list[Record]:
        """What is to be upserted: the last word for each row."""
        return parents_first(self._records.values())

    @property
    def changes(self) -> list[RunChange]:
        """What is to be changed once the records are stored."""
        return [change for changes in self._changes.values() for change in changes]

    def takes(self, entry: Entry) -> bool:
        """Whether the entry may join and overtake nothing: a run's whole row may not, behind a part of it."""
        return not isinstance(entry, RunRecord) or (
            (RunRecord, entry.id) not in self._records and entry.id not in self._changes
        )

    def add(self, entry: Entry) -> None:
        """Put the entry behind the others."""
        if isinstance(entry, RunChange):
            self._change(self._changes.setdefault(entry.run_id, []), entry)
        else:
            self._records[type(entry), entry.id] = entry

    @staticmethod
    def _change(changes: list[RunChange], new: RunChange) -> None:
        if changes and _merges(changes[-1], new):
            new = RunChange(new.run_id, changes.pop().fields | new.fields)
        changes.append(new)


def coalesce(entries: Iterable[Entry]) -> list[WriteBatch]:
    """The entries as batches, to be written one after the other."""
    batches = [WriteBatch()]
    for entry in entries:
        if not batches[-1].takes(entry):
            batches.append(WriteBatch())
        batches[-1].add(entry)
    return batches


def owner(entry: Entry) -> str | None:
    """The run that an entry belongs to; None for cases and patterns."""
    return entry.run_id if isinstance(entry, RunChange) else run_of(entry)


def _merges(old: RunChange, new: RunChange) -> bool:
    """Whether the store takes or drops both alike: it drops a change by an execution that was outrun, and one that
    would revive an ended run, whole.
    """
    return all(old.fields.get(name) == new.fields.get(name) for name in ("status", "fence"))
