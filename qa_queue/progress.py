"""The progress of runs: written with each step, followed live, and replayed by who comes late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from redis import Redis

from qa_queue.models import JobProgress, RunStatus


@dataclass(frozen=True, kw_only=True)
class ProgressEvent:
    """One report and its id in the run's stream."""

    id: str
    progress: JobProgress


class ProgressWriter:
    """Writes reports to the job's meta and the stream `progress:<run_id>`, in one round trip.

    Progress is news, not record: a report that Redis refuses is logged (WARN, once until it works again) and
    dropped; it never fails the run.
    """

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def write(self, job_id: str, progress: JobProgress) -> None:
        """Write one report; the meta only if the job still exists. Never raises for a Redis that fails."""
        raise NotImplementedError

    def finish(self, run_id: str, status: RunStatus, message: str) -> None:
        """Write the last report of a run that has no processor to do so: dead, or cancelled while waiting.

        Keeps the counts of the latest report. Does nothing if the stream already ends with a final status.
        """
        raise NotImplementedError


class ProgressReader:
    """Follows runs; any number of readers see the same."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def follow(self, run_id: str, *, from_id: str = "0", timeout: float | None = None) -> Iterator[ProgressEvent]:
        """Every report after `from_id`, then new ones as they come, until a final status or `timeout` s."""
        raise NotImplementedError

    def follow_many(
        self, run_ids: Sequence[str] | Mapping[str, str], *, timeout: float | None = None
    ) -> Iterator[ProgressEvent]:
        """As `follow`, for many runs at once, until all have ended; a mapping gives each run's `from_id`."""
        raise NotImplementedError

    def latest(self, run_ids: Sequence[str]) -> dict[str, JobProgress]:
        """The latest report of each run that has one; one round trip."""
        raise NotImplementedError
