"""The stream `progress:<run_id>`: one entry a report, with the field `event` that holds the report as JSON.

Reading progress: what was, then what comes.
"""

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
MAX_EVENTS = 10_000  # of one run; Redis trims whole blocks, so a few more may stand
EVENTS_KEY = "qa:events"  # the stream of what happens on all queues
MOST_EVENTS = 20_000  # in that
FIELD = b"event"
_PREFIX = "progress:"


def stream_key(run_id: str) -> str:
    """The name of a run's stream."""
    return f"{_PREFIX}{run_id}"


def run_of(key: bytes) -> str:
    """The run of a stream's name."""
    return key.decode().removeprefix(_PREFIX)


def encode(progress: JobProgress) -> str:
    """A report as the text of a stream entry."""
    return progress.model_dump_json()


def decode(fields: dict[bytes, bytes]) -> JobProgress:
    """The report of a stream entry."""
    return JobProgress.model_validate_json(fields[FIELD])


def meta_document(progress: JobProgress) -> dict[str, Any]:
    """A report as the job's meta shows it: for eyes only, in rq-dashboard, which does not escape it.

    Texts can come from the site under test, so they are HTML-escaped here; programs read the stream.
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


BLOCK_MS = 2_000  # the longest single wait inside Redis: after a failover a blocked read may never be answered
PAGE = 500  # reports of one run in one read
FROM_START = "0"


@dataclass(frozen=True, kw_only=True)
class ProgressEvent:
    """One report, and its id in the run's stream, from which `follow` can go on."""

    id: str
    progress: JobProgress


class ProgressReader:
    """Follows runs; any number of readers see the same, each at its own pace."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection_of(connection, QueueName.TEST_EXECUTION)  # runs are its jobs

    def follow(
        self, run_id: str, *, from_id: str = FROM_START, timeout: float | None = None
    ) -> Iterator[ProgressEvent]:
        """Every report after `from_id`, then new ones as they come, until a final status or `timeout` s.

        A run without any report yet is waited for. A timeout of None waits for ever.

        Raises:
            redis.exceptions.RedisError: Redis failed; go on from the last id that came.
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
                if run_id not in positions:  # the run has ended; what follows in this page is no news
                    continue
                positions[run_id] = event.id
                if event.progress.status.final:
                    del positions[run_id]
                yield event
            if block_ms == 0:
                return

    def latest(self, run_ids: Sequence[str]) -> dict[str, JobProgress]:
        """The latest report of each run that has one; one round trip."""
        pipeline = self._connection.pipeline(transaction=False)
        for run_id in run_ids:
            pipeline.xrevrange(stream_key(run_id), count=1)
        answers = zip(run_ids, pipeline.execute(), strict=True)
        return {run_id: decode(entries[0][1]) for run_id, entries in answers if entries}

    def _read(self, positions: Mapping[str, str], block_ms: int) -> list[tuple[str, ProgressEvent]]:
        streams: dict[Any, Any] = {stream_key(run_id): last for run_id, last in positions.items()}
        # Redis takes BLOCK 0 as "for ever".
        answer: Any = self._connection.xread(streams, count=PAGE, block=block_ms or None)
        return [
            (run_of(stream), ProgressEvent(id=entry_id.decode(), progress=decode(fields)))
            for stream, entries in answer or []
            for entry_id, fields in entries
        ]


def _block_ms(deadline: float | None) -> int:
    """How long to wait in Redis, in ms; 0 when the time is up and only what is there is to be read."""
    if deadline is None:
        return BLOCK_MS
    return max(0, min(BLOCK_MS, round((deadline - time.monotonic()) * 1000)))
