"""Rows go to the store behind the run's back: a thread writes them in order, many at once, and tries again."""

from __future__ import annotations

import itertools
import logging
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from qa_queue.errors import StoreAuthError, StoreError, StoreSchemaError, StoreUnavailableError
from qa_queue.models.backoff import exponential
from qa_queue.store.mapping import run_changes, run_of
from qa_queue.store.outbox import Depth, Outbox
from qa_queue.store.protocol import Record, RunStore
from qa_queue.store.spool import Spool
from qa_queue.store.write_batch import Entry, RunChange, WriteBatch, coalesce, owner

log = logging.getLogger(__name__)

BASE_MS = 100
CAP_MS = 5_000
CLOSE_TIMEOUT = 10.0
PATIENCE_S = 5.0  # with an outbox: how long a flush waits for a store that is slow to answer
LOOK_S = 5.0  # with an outbox: between two looks for what others have left
_CONCERNS_ALL = (StoreAuthError, StoreSchemaError)  # writing one by one would meet them once a record


class RecordWriter:
    """Takes records and changes of runs at once, and stores them soon, in the order in which they came.

    Safe to use from several threads, in the process that made it (its thread does not survive a fork). What
    the store refuses is kept for that run's `flush`; other runs' rows are stored all the same. While the store
    cannot be reached, everything waits and is tried again with growing pauses. With an `outbox`, what is flushed
    meanwhile goes there, where it outlives this process, and is stored before anything later; what other
    processes left there is stored too.
    """

    def __init__(
        self,
        store: RunStore,
        *,
        outbox: Outbox | None = None,
        max_batch: int = 200,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._spool = None if outbox is None else Spool(outbox)
        self._max_batch = max_batch
        self._jitter = jitter
        self._turn = threading.Condition()
        self._numbers = itertools.count()
        self._waiting: dict[int, Entry] = {}  # in order; an entry leaves once it is stored or refused
        self._refused: dict[str | None, StoreError] = {}  # the first refusal of each run
        self._outage: StoreError | None = None
        self._failures = 0
        self._hurry = False
        self._closed = False
        self._thread: threading.Thread | None = None
        self._draining = False
        if self._spool is not None:
            with self._turn:
                self._start()

    @property
    def depth(self) -> Depth:
        """What waits on disk, of all processes that share the outbox."""
        return Depth(segments=0, size=0) if self._spool is None else self._spool.depth

    @property
    def obstacle(self) -> str | None:
        """Why nothing more can be kept while the store is away; None while there is room."""
        return None if self._spool is None else self._spool.obstacle

    def put(self, *records: Record) -> None:
        """Take records to be upserted soon.

        Raises:
            StoreError: the writer is closed.
        """
        self._take(records)

    def update_run(self, run_id: str, **fields: Any) -> None:
        """Take a change of a run's row.

        Raises:
            StoreError: a field is no column, or the writer is closed.
        """
        self._take([RunChange(run_id, run_changes(fields))])

    def flush(self, timeout: float, run_id: str | None = None) -> None:
        """Return when all that was put, or what belongs to one run, is stored, or kept in the outbox.

        What one run could not store within `timeout` seconds is dropped: its job fails and is tried again, and
        the rows of the failed attempt must not come after those of the next.

        Raises:
            StoreError: the store refused a row, or could not be reached within `timeout` seconds.
            OutboxFullError: it could not be reached, and the outbox takes no more.
        """
        if self._spool is not None and self._keep_on_disk(self._spool, min(timeout, PATIENCE_S), run_id):
            return
        with self._turn:
            self._hurry = True
            self._turn.notify_all()
            stored = self._turn.wait_for(lambda: not self._numbers_of(run_id), timeout)
            refused = self._take_refusal(run_id)
            error = refused if stored else refused or self._outage or _too_slow(timeout)
            if not stored and run_id is not None:
                self._drop(self._numbers_of(run_id))
        if error:
            raise type(error)(*error.args)

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Store what is waiting, for at most `timeout` seconds, and end the thread.

        Raises:
            StoreError: not everything could be stored.
        """
        try:
            self.flush(timeout)
        finally:
            with self._turn:
                self._closed = True
                self._turn.notify_all()
            if self._thread:
                self._thread.join(timeout)
            if self._spool:
                self._spool.close()

    def _keep_on_disk(self, spool: Spool, patience: float, run_id: str | None) -> bool:
        """Whether what is to be flushed could not be stored soon, and is safe in the outbox now."""
        with self._turn:
            self._turn.notify_all()
            self._turn.wait_for(lambda: not self._numbers_of(run_id) or self._outage, patience)
            numbers = self._numbers_of(run_id)
            if not numbers or run_id in self._refused:
                return False
            entries = [self._waiting[number] for number in numbers]
        try:
            spool.append(entries)
        except StoreError:
            with self._turn:
                self._drop(numbers)
            raise
        with self._turn:
            self._drop(numbers)
        return True

    def _take(self, entries: Sequence[Entry]) -> None:
        with self._turn:
            if self._closed:
                raise StoreError("the record writer is closed: nothing more can be stored by it.")
            self._waiting.update({next(self._numbers): entry for entry in entries})
            self._start()
            self._turn.notify_all()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="record-writer", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (entries := self._next()) is not None:
            outage = self._drain() or self._write(list(entries.values()))
            with self._turn:
                self._outage = outage
                self._turn.notify_all()  # who flushes may have waited for either
                if outage:
                    self._pause()
                else:
                    self._failures = 0
                    self._drop(entries)

    def _next(self) -> dict[int, Entry] | None:
        """The entries whose turn it is, as soon as there are any or the outbox may have some; None is the end."""
        spool = self._spool
        with self._turn:
            if spool is not None:
                self._turn.wait_for(lambda: self._waiting or self._closed or spool.filled, LOOK_S)
            else:
                self._turn.wait_for(lambda: self._waiting or self._closed)
            nothing = not self._waiting and (spool is None or not spool.filled)
            if self._closed and (self._outage or nothing):
                return None
            return dict(itertools.islice(self._waiting.items(), self._max_batch))

    def _drain(self) -> StoreError | None:
        """Store what waits in the outbox; return the error where the store cannot be used."""
        if self._spool is None:
            return None
        self._draining = True
        try:
            return self._spool.drain(self._write)
        finally:
            self._draining = False

    def _pause(self) -> None:
        """Wait before the next attempt; whoever flushes or closes cuts it short."""
        self._failures += 1
        delay = exponential(self._failures, jitter=self._jitter(), base_ms=BASE_MS, cap_ms=CAP_MS)
        self._turn.wait_for(lambda: self._hurry or self._closed, delay / 1000)
        self._hurry = False

    def _drop(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._waiting.pop(number, None)
        self._turn.notify_all()

    def _numbers_of(self, run_id: str | None) -> list[int]:
        """The waiting entries of a run; of all runs where it is None."""
        return [number for number, entry in self._waiting.items() if run_id is None or owner(entry) == run_id]

    def _take_refusal(self, run_id: str | None) -> StoreError | None:
        if run_id is not None:
            return self._refused.pop(run_id, None)
        first = next(iter(self._refused.values()), None)
        self._refused.clear()
        return first

    def _write(self, entries: list[Entry]) -> StoreError | None:
        """Write the entries; return the error where the store cannot be reached.

        All of them are written again then, which is no harm: every write is an upsert or sets a value.
        """
        try:
            for batch in coalesce(entries):
                self._write_batch(batch)
        except (StoreUnavailableError, *_CONCERNS_ALL) as error:
            return error
        return None

    def _write_batch(self, batch: WriteBatch) -> None:
        self._save(batch.records)
        for change in batch.changes:
            refusal = _refusal(partial(self._store.update_run, change.run_id, **change.fields))
            if refusal:
                self._refuse([change.run_id], refusal)

    def _save(self, records: list[Record]) -> None:
        """Save the records; of some that are refused together find those that are refused alone, by halves."""
        refusal = _refusal(partial(self._store.save, records)) if records else None
        if refusal is None:
            return
        if len(records) == 1 or isinstance(refusal, _CONCERNS_ALL):
            self._refuse([run_of(record) for record in records], refusal)
            return
        half = len(records) // 2
        self._save(records[:half])
        self._save(records[half:])

    def _refuse(self, run_ids: list[str | None], refusal: StoreError) -> None:
        if self._draining:
            if isinstance(refusal, _CONCERNS_ALL):
                raise refusal  # it is not the row's fault, and the row has nobody who would write it again
            log.error("A row of run %s that waited on disk was refused: %s", run_ids[0], refusal)
            return
        with self._turn:
            for run_id in run_ids:
                self._refused.setdefault(run_id, refusal)


def _refusal(call: Callable[[], None]) -> StoreError | None:
    """Call the store; return its error, unless that is an outage, which is raised."""
    try:
        call()
    except StoreUnavailableError:
        raise
    except StoreError as error:
        return error
    except Exception as error:  # noqa: BLE001 - a bug must reach who flushes, not end the thread in silence
        return StoreError(f"a record could not be written: {type(error).__name__}: {error}.")
    return None


def _too_slow(timeout: float) -> StoreError:
    return StoreUnavailableError(f"Supabase did not store all records within {timeout:g} s: is it overloaded?")
