"""Which runs are old enough to go. Pure: the time is an argument."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from qa_queue.models import RunStatus
from qa_queue.store.records import RunRecord

GOOD = tuple(status for status in RunStatus if status.good)
BAD = tuple(status for status in RunStatus if status.final and not status.good)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How many days after its end a run is kept: a good one, and one that ended in any other way."""

    keep_days: int
    keep_failed_days: int

    def good_before(self, now: datetime) -> datetime:
        """A good run that ended before this moment may go."""
        return now - timedelta(days=self.keep_days)

    def bad_before(self, now: datetime) -> datetime:
        """Any other run that ended before this moment may go."""
        return now - timedelta(days=self.keep_failed_days)

    def orphans_before(self, now: datetime) -> datetime:
        """Evidence of no known run that was last touched before this moment may go.

        It stays as long as the longer-lived runs do: right after a change of SUPABASE_URL every folder looks
        like an orphan, and evidence must not go for that.
        """
        return min(self.good_before(now), self.bad_before(now))


def expired(
    runs: Iterable[RunRecord], *, now: datetime, policy: Policy, keep: frozenset[str] = frozenset()
) -> list[RunRecord]:
    """Those of the runs that have outlived the policy.

    A run that has not ended never does; nor do those with an id in `keep`, the newest good run of each case, so
    that there is always one to compare a failure with.
    """
    before = dict.fromkeys(GOOD, policy.good_before(now)) | dict.fromkeys(BAD, policy.bad_before(now))
    return [
        run
        for run in runs
        if run.id not in keep
        and run.finished_at is not None
        and run.status in before
        and run.finished_at < before[run.status]
    ]
