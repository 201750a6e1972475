"""A dead letter as a value, built from what Redis has of its job. Pure."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from rq.utils import str_to_date

from qa_queue.models.outcomes import FailureKind
from qa_queue.queues.attempts import AttemptFailure
from qa_queue.queues.job_view import read_metadata
from qa_queue.queues.jobs import FAILURE_TTL_S
from qa_queue.queues.keys import METADATA_FIELD, RAW_FIELD, REQUEUES_FIELD
from qa_queue.store.sanitize import sanitize

FIELDS = (
    "origin",
    "data",
    "created_at",
    "ended_at",
    "status",
    "description",
    REQUEUES_FIELD,
    RAW_FIELD,
    METADATA_FIELD,
)


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A job without an attempt left.

    `reason` is for people, `error` that of the last attempt. `data` is the payload; where it cannot be read it is
    None, and `raw` has its content as text. The id of a run's job is the run's id. `metadata` is the submitter's.
    """

    job_id: str
    queue: str
    name: str
    reason: str
    error: str
    function: str | None = None
    data: dict[str, Any] | None = None
    raw: str | None = None
    attempts: tuple[AttemptFailure, ...] = ()
    requeues: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    died_at: datetime
    expires_at: datetime

    @property
    def readable(self) -> bool:
        """True when it can be requeued."""
        return self.data is not None


def parse_dead_letter(
    job_id: str, queue: str, expiry: float, values: Sequence[bytes | None], attempts: tuple[AttemptFailure, ...]
) -> DeadLetter:
    """Return the dead letter of a failed job from the values of `FIELDS`; those of a job that is gone are empty."""
    found = {name: value for name, value in zip(FIELDS, values, strict=True) if value is not None}
    if not found:
        expires_at = datetime.fromtimestamp(expiry, UTC)
        return DeadLetter(
            job_id=job_id,
            queue=queue,
            name="",
            reason="its job is gone, deleted or evicted, and only its id is left: discard it",
            error="",
            attempts=attempts,
            died_at=expires_at - timedelta(seconds=FAILURE_TTL_S),
            expires_at=expires_at,
        )
    raw = found.get(RAW_FIELD)
    function, data = (None, None) if raw else _call(found.get("data", b""))
    if raw is None and data is None:
        raw = repr(_inflated(found.get("data", b""))[:2000]).encode()
    return DeadLetter(
        job_id=job_id,
        queue=_text(found, "origin") or queue,
        name=_text(found, "description"),
        reason=death_reason(_text(found, "status"), attempts, readable=data is not None),
        error=attempts[-1].error if attempts else "",
        function=function,
        data=data,
        raw=raw.decode("utf-8", "replace") if raw else None,
        attempts=attempts,
        requeues=int(found.get(REQUEUES_FIELD, b"0")),
        metadata=read_metadata(found.get(METADATA_FIELD)),
        created_at=_time(found.get("created_at")),
        died_at=_time(found.get("ended_at")) or datetime.fromtimestamp(expiry - FAILURE_TTL_S, UTC),
        expires_at=datetime.fromtimestamp(expiry, UTC),
    )


def death_reason(status: str, attempts: Sequence[AttemptFailure], *, readable: bool) -> str:
    """Return the reason why there was no further attempt."""
    if not readable:
        return "the job cannot be read"
    if status == "stopped":
        return "an operator stopped it"
    if not attempts:
        return "it failed outside of qa-queue's workers"
    used_up = f"all attempts failed, {len(attempts)} of them" if len(attempts) > 1 else "its only attempt failed"
    return _REASONS.get(attempts[-1].kind, used_up)


_REASONS: Mapping[str, str] = {
    FailureKind.INPUT: "its input is invalid, so it was not retried",
    FailureKind.BUG: "a processor raised an error of its own, so it was not retried",
    FailureKind.TIMED_OUT: "it exceeded its time limit, so it was not retried",
}


def _call(data: bytes) -> tuple[str | None, dict[str, Any] | None]:
    """The function and the payload, each None where it cannot be read."""
    try:
        function, _, _, keywords = json.loads(_inflated(data))
        payload = keywords["data"]
    except (ValueError, TypeError, KeyError):
        return None, None
    return str(function), sanitize(payload) if isinstance(payload, dict) else None


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return data  # as RQ reads it


def _text(found: Mapping[str, bytes], name: str) -> str:
    return found.get(name, b"").decode("utf-8", "replace")


def _time(value: bytes | None) -> datetime | None:
    try:
        time = str_to_date(value) if value else None
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time and time.tzinfo is None else time
