"""A batch as a value, made from the rows of its runs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from qa_queue.models import RunStatus
from qa_queue.store.batch_records import BatchRecord
from qa_queue.store.records import RunRecord


class BatchVerdict(StrEnum):
    """What a batch comes to."""

    RUNNING = "running"  # some runs have not ended
    PASSED = "passed"  # every run ended well
    FAILED = "failed"  # a run found something wrong with the site or the case
    BROKEN = "broken"  # none did, but the infrastructure failed one for good
    CANCELLED = "cancelled"  # none of these, but not all were run


_BAD = (
    (BatchVerdict.FAILED, (RunStatus.FAILED, RunStatus.TIMED_OUT)),
    (BatchVerdict.BROKEN, (RunStatus.DEAD,)),
    (BatchVerdict.CANCELLED, (RunStatus.CANCELLED,)),
)


@dataclass(frozen=True, kw_only=True)
class BatchView:
    """How a batch stands. `percentage` is 0..100; runs that go on add their own. `counts` has every status."""

    id: str
    total: int
    ended: int
    counts: dict[RunStatus, int]
    flaky: int
    percentage: int
    verdict: BatchVerdict
    queued_at: datetime
    finished_at: datetime | None
    run_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BatchSummary:
    """A batch in a list; `counts` has every status."""

    id: str
    total: int
    ended: int
    counts: dict[RunStatus, int]
    flaky: int
    verdict: BatchVerdict
    queued_at: datetime
    finished_at: datetime | None


def summary_of(record: BatchRecord) -> BatchSummary:
    """The summary of a batch's row."""
    return BatchSummary(
        id=record.id,
        total=record.total,
        ended=sum(number for status, number in record.counts.items() if status.final),
        counts=record.counts,
        flaky=record.flaky,
        verdict=verdict_of(record.counts),
        queued_at=record.queued_at,
        finished_at=record.finished_at,
    )


def view_of(batch_id: str, runs: Sequence[RunRecord], percentages: Mapping[str, int]) -> BatchView:
    """The view of at least one run; `percentages` are those of the runs that go on."""
    counts = Counter(run.status for run in runs)
    ended = sum(run.status.final for run in runs)
    done = sum(100 if run.status.final else min(100, percentages.get(run.id, 0)) for run in runs)
    ends = [run.finished_at for run in runs if run.finished_at]
    return BatchView(
        id=batch_id,
        total=len(runs),
        ended=ended,
        counts={status: counts[status] for status in RunStatus},
        flaky=sum(run.flaky for run in runs),
        percentage=done // len(runs),
        verdict=verdict_of(counts),
        queued_at=min(run.queued_at for run in runs),
        finished_at=max(ends) if ended == len(runs) and ends else None,
        run_ids=tuple(run.id for run in runs),
    )


def verdict_of(counts: Mapping[RunStatus, int]) -> BatchVerdict:
    """One word for all runs; the worst counts, once all have ended."""
    if any(number and not status.final for status, number in counts.items()):
        return BatchVerdict.RUNNING
    bad = (verdict for verdict, statuses in _BAD if any(counts.get(status) for status in statuses))
    return next(bad, BatchVerdict.PASSED)
