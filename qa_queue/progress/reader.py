"""Reading progress: the stream `progress:<run id>`, one entry for each report, as JSON in the field `event`."""

from __future__ import annotations

import html
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from qa_queue.models import JobProgress, QueueName
from qa_queue.redis import connection_of

KEEP_S = 24 * 3600
MAX_REPORTS = 10_000  # of one run; Redis trims whole blocks, so there may be a few more
EVENTS_KEY = "qa:events"  # the stream of the events of all queues, reports among them
MAX_EVENTS = 20_000  # in that stream
BLOCK_MS = 2_000  # the longest single wait inside Redis: after a failover a blocked read may never be answered
PAGE = 500  # reports of one run in one read
FROM_START = "0"
FIELD = b"event"
_PREFIX = "progress:"


@dataclass(frozen=True, kw_only=True)
class ProgressEvent:
    """A report, and its id in the run's stream, from which `follow` can continue."""

    id: str
    progress: JobProgress


class ProgressReader:
    """Follows runs; any number of readers see the same reports, each at its own pace."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection_of(connection, QueueName.TEST_EXECUTION)  # runs are its jobs

    def follow(
        self, run_id: str, *, from_id: str = FROM_START, timeout: float | None = None
    ) -> Iterator[ProgressEvent]:
        """Yield every report after `from_id`, then new ones, until a final status or until `timeout` s are over.

        A run without a report is waited for. A timeout of None waits forever.

        Raises:
            redis.exceptions.RedisError: Redis failed; continue from the id of the last report.
        """
        yield from self.follow_many({run_id: from_id}, timeout=timeout)

    def follow_many(
        self, run_ids: Sequence[str] | Mapping[str, str], *, timeout: float | None = None
    ) -> Iterator[ProgressEvent]:
        """As `follow`, for many runs at once, until all have ended; a mapping gives each run's `from_id`."""
        positions = dict(run_ids) if isinstance(run_ids, Mapping) else dict.fromkeys(run_ids, FROM_START)
        deadline = None if timeout is None else time.monotonic() + timeout
        while positions:
            block_ms = _block_ms(deadline)
            for run_id, event in self._read(positions, block_ms):
                if run_id not in positions:  # the run has ended: ignore what follows in this page
                    continue
                positions[run_id] = event.id
                if event.progress.status.final:
                    del positions[run_id]
                yield event
            if block_ms == 0:
                return

    def latest(self, run_ids: Sequence[str]) -> dict[str, JobProgress]:
        """Return the latest report of each run that has one, in one round trip."""
        pipeline = self._connection.pipeline(transaction=False)
        for run_id in run_ids:
            pipeline.xrevrange(stream_key(run_id), count=1)
        replies = zip(run_ids, pipeline.execute(), strict=True)
        return {run_id: decode(entries[0][1]) for run_id, entries in replies if entries}

    def _read(self, positions: Mapping[str, str], block_ms: int) -> list[tuple[str, ProgressEvent]]:
        streams: dict[Any, Any] = {stream_key(run_id): last for run_id, last in positions.items()}
        # Redis takes BLOCK 0 as "forever".
        reply: Any = self._connection.xread(streams, count=PAGE, block=block_ms or None)
        return [
            (run_of(stream), ProgressEvent(id=entry_id.decode(), progress=decode(fields)))
            for stream, entries in reply or []
            for entry_id, fields in entries
        ]


def stream_key(run_id: str) -> str:
    """Return the key of a run's stream."""
    return f"{_PREFIX}{run_id}"


def run_of(key: bytes) -> str:
    """Return the run id of a stream's key."""
    return key.decode().removeprefix(_PREFIX)


def encode(progress: JobProgress) -> str:
    """Return a report as the text of a stream entry."""
    return progress.model_dump_json()


def decode(fields: dict[bytes, bytes]) -> JobProgress:
    """Return the report of a stream entry."""
    return JobProgress.model_validate_json(fields[FIELD])


def meta_document(progress: JobProgress) -> dict[str, Any]:
    """Return a report for the job's meta, which rq-dashboard shows without escaping it.

    Texts may come from the site under test, so they are HTML-escaped here. Programs read the stream instead.
    """
    step = progress.step_data
    return {
        "status": progress.status.value,
        "step": f"{progress.current_step}/{progress.total_steps or '?'}",
        "percentage": progress.percentage,
        "message": html.escape(progress.message),
        "action": html.escape(step.action) if step else "",
        "error": html.escape(step.error or "") if step else "",
    }


def _block_ms(deadline: float | None) -> int:
    """The time to wait in Redis, in ms; 0 after the deadline, to read only what there is."""
    if deadline is None:
        return BLOCK_MS
    return max(0, min(BLOCK_MS, round((deadline - time.monotonic()) * 1000)))
