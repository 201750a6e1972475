"""The record writer: a thread that stores rows in the background, in order, in batches, with retries."""

from __future__ import annotations

import itertools
import logging
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from qa_queue.errors import StoreError, StoreUnavailableError
from qa_queue.models import RunStatus
from qa_queue.models.values import exponential
from qa_queue.store.entries import Delivery, Entry, RunChange, deliver, owner
from qa_queue.store.mapping import run_changes
from qa_queue.store.outbox import Depth, Outbox
from qa_queue.store.protocol import Record, RunStore

log = logging.getLogger(__name__)

BASE_MS = 100
CAP_MS = 5_000
CLOSE_TIMEOUT_S = 10.0
PATIENCE_S = 5.0  # with an outbox: the time for which a flush waits for a slow store
LOOK_S = 5.0  # with an outbox: the time between two searches for what other processes left behind
GATHER_S = 1.0  # the longest that a row waits for others, to be stored in one call with them


class RecordWriter:
    """Accept records and changes of runs without waiting, and store them soon, those of a run in order.

    The start of a run is stored at once, since another worker may look for it; its other rows gather for a second,
    or until they are flushed, and go in one call.

    Safe to use from several threads of the process that created it; its thread does not survive a fork. A row whose
    content the store refuses is reported to that run's `flush`; the other rows are stored. While the store is
    unavailable, everything waits and is retried with growing pauses.

    With an `outbox` every error but a refused row counts as an outage. Rows that are flushed meanwhile go to the
    outbox, where they outlive this process. They are stored before anything newer, and so are the rows that ended
    processes left in the outbox.
    """

    def __init__(
        self,
        store: RunStore,
        *,
        outbox: Outbox | None = None,
        max_batch: int = 200,
        gather_s: float = GATHER_S,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._deliver = partial(deliver, store)
        self._outbox = outbox
        self._max_batch = max_batch
        self._gather_s = gather_s
        self._jitter = jitter
        self._turn = threading.Condition()
        self._numbers = itertools.count()
        self._waiting: dict[int, Entry] = {}  # in order; an entry leaves once it is stored or refused
        self._due = math.inf  # monotonic: the moment until which entries gather
        self._flushed: Counter[str | None] = Counter()  # runs that a flush waits for; None are all of them
        self._refused: dict[str | None, StoreError] = {}  # the first refusal of each run
        self._outage: StoreError | None = None
        self._failures = 0
        self._hurry = False
        self._closed = False
        self._thread: threading.Thread | None = None
        if outbox is not None:
            with self._turn:
                self._start()

    @property
    def depth(self) -> Depth:
        """The files that wait on disk, of all processes that share the outbox."""
        return Depth(files=0, size=0) if self._outbox is None else self._outbox.depth

    @property
    def obstacle(self) -> str | None:
        """The reason why no more rows can be kept while the store is unavailable; None while there is space."""
        return None if self._outbox is None else self._outbox.obstacle

    def put(self, *records: Record) -> None:
        """Accept records to be upserted soon.

        Raises:
            StoreError: the writer is closed.
        """
        self._accept(records)

    def update_run(self, run_id: str, **fields: Any) -> None:
        """Accept a change of a run's row.

        Raises:
            StoreError: a field is not a column, or the writer is closed.
        """
        self._accept([RunChange(run_id, run_changes(fields))])

    def flush(self, timeout: float, run_id: str | None = None) -> None:
        """Return when all rows, or those of one run, are stored or kept in the outbox; `timeout` is in seconds.

        The rows of one run that could not be stored in time are dropped: its job fails and is retried, and the rows
        of the failed attempt must not follow those of the next.

        Raises:
            StoreError: the store refused a row, or was unavailable for `timeout` seconds.
            OutboxFullError: the store was unavailable, and the outbox takes no more.
        """
        with self._at_once(run_id):
            if self._outbox is not None and self._keep_on_disk(self._outbox, min(timeout, PATIENCE_S), run_id):
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

    def close(self, timeout: float = CLOSE_TIMEOUT_S) -> None:
        """Store the waiting rows within `timeout` seconds, and end the thread.

        Raises:
            StoreError: some rows could not be stored.
        """
        try:
            self.flush(timeout)
        finally:
            with self._turn:
                self._closed = True
                self._turn.notify_all()
            if self._thread:
                self._thread.join(timeout)
            if self._outbox:
                self._outbox.close()

    @contextmanager
    def _at_once(self, run_id: str | None) -> Iterator[None]:
        """Let the entries of a run, or all, gather no longer for as long as the block lasts."""
        with self._turn:
            self._flushed[run_id] += 1
            self._turn.notify_all()
        try:
            yield
        finally:
            with self._turn:
                self._flushed[run_id] -= 1
                self._flushed += Counter()  # without those that are zero

    def _keep_on_disk(self, outbox: Outbox, patience: float, run_id: str | None) -> bool:
        """Return whether the rows could not be stored soon and are safe in the outbox."""
        with self._turn:
            self._turn.wait_for(lambda: not self._numbers_of(run_id) or self._outage, patience)
            numbers = self._numbers_of(run_id)
            if not numbers or run_id in self._refused:
                return False
            entries = [self._waiting[number] for number in numbers]
        try:
            outbox.append(entries)
        finally:
            with self._turn:
                self._drop(numbers)
        return True

    def _accept(self, entries: Sequence[Entry]) -> None:
        with self._turn:
            if self._closed:
                raise StoreError("the record writer is closed: it cannot store any more rows.")
            if entries and not self._waiting:
                self._due = time.monotonic() + self._gather_s
            self._waiting.update({next(self._numbers): entry for entry in entries})
            self._start()
            self._turn.notify_all()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="record-writer", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while self._wait_for_work():
            outage = self._drain()
            with self._turn:  # after the drain: what a flush has moved to the outbox meanwhile must not be repeated
                entries = dict(itertools.islice(self._chosen(), self._max_batch))
            delivery = Delivery(outage=outage) if outage else self._deliver(list(entries.values()))
            with self._turn:
                self._settle(entries, delivery)

    def _wait_for_work(self) -> bool:
        """Return True as soon as there are entries or the outbox may have some, False at the end."""
        outbox = self._outbox
        with self._turn:
            if outbox is not None:
                self._turn.wait_for(lambda: self._waiting or self._closed or outbox.filled, LOOK_S)
            else:
                self._turn.wait_for(lambda: self._waiting or self._closed)
            while self._waiting and not self._is_due() and not any(self._chosen()):
                self._turn.wait(max(0.0, self._due - time.monotonic()))
            empty = not self._waiting and (outbox is None or not outbox.filled)
            return not (self._closed and (self._outage or empty))

    def _is_due(self) -> bool:
        return self._closed or len(self._waiting) >= self._max_batch or time.monotonic() >= self._due

    def _chosen(self) -> Iterator[tuple[int, Entry]]:
        """Yield the entries to be stored now, by number: all that are due, else those of starting and flushed runs.

        Entries of no run are rows that others may refer to, so they go along.
        """
        every = self._is_due() or None in self._flushed
        now = {*self._flushed, *(owner(entry) for entry in self._waiting.values() if _starts(entry))}
        for number, entry in self._waiting.items():
            if every or (now and owner(entry) in {None, *now}):
                yield number, entry

    def _drain(self) -> StoreError | None:
        """Store the rows that wait in the outbox; return the outage that stops this."""
        if self._outbox is None:
            return None
        try:
            return self._outbox.drain(self._deliver)
        except Exception as error:
            log.exception("The outbox could not be drained.")
            return StoreError(f"the outbox could not be drained: {type(error).__name__}: {error}.")

    def _settle(self, entries: dict[int, Entry], delivery: Delivery) -> None:
        """Drop the entries that were stored or refused; keep them and pause if the store is unavailable."""
        refused, outage = delivery.refused, delivery.outage
        if outage is not None and self._outbox is None and not isinstance(outage, StoreUnavailableError):
            refused, outage = [(entry, outage) for entry in entries.values()], None
        self._report(outage)
        self._outage = outage
        self._turn.notify_all()  # a flush may wait for either
        if outage is not None:
            self._pause()
            return
        for entry, error in refused:
            self._refused.setdefault(owner(entry), error)
        self._failures = 0
        self._drop(entries)

    def _report(self, outage: StoreError | None) -> None:
        """Log the beginning and the end of an outage, and a change of its kind."""
        if outage is None and self._outage is not None:
            log.info("Results are stored in Supabase again.")
        elif outage is not None and type(outage) is not type(self._outage):
            log.warning("Results cannot be stored now and are kept until they can: %s", outage)

    def _pause(self) -> None:
        """Wait before the next attempt; a flush or `close` ends the pause."""
        self._failures += 1
        delay = exponential(self._failures, jitter=self._jitter(), base_ms=BASE_MS, cap_ms=CAP_MS)
        self._turn.wait_for(lambda: self._hurry or self._closed, delay / 1000)
        self._hurry = False

    def _drop(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._waiting.pop(number, None)
        self._turn.notify_all()

    def _numbers_of(self, run_id: str | None) -> list[int]:
        """Return the numbers of a run's waiting entries, or of all if `run_id` is None."""
        return [number for number, entry in self._waiting.items() if run_id is None or owner(entry) == run_id]

    def _take_refusal(self, run_id: str | None) -> StoreError | None:
        if run_id is not None:
            return self._refused.pop(run_id, None)
        first = next(iter(self._refused.values()), None)
        self._refused.clear()
        return first


def _starts(entry: Entry) -> bool:
    return isinstance(entry, RunChange) and entry.fields.get("status") == RunStatus.RUNNING


def _too_slow(timeout: float) -> StoreError:
    return StoreUnavailableError(f"Supabase did not store all records within {timeout:g} s: is it overloaded?")
