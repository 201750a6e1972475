"""A dead letter as a value, made from what Redis holds of its job. Pure."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rq.utils import str_to_date

from qa_queue.models.outcomes import FailureKind
from qa_queue.queues.attempts import AttemptFailure
from qa_queue.queues.jobs import FAILURE_TTL_S
from qa_queue.queues.keys import METADATA_FIELD, read_metadata
from qa_queue.store.mapping import sanitize

RAW_FIELD = "qa_raw"  # of a job that could not be read: what stood in its hash, as JSON
REQUEUES_FIELD = "qa_requeues"  # how often a job was put back from the dead letters
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
    """A job whose attempts are used up.

    `reason` is for people, `error` that of the last attempt, `data` the payload and None where it cannot be read;
    then `raw` has what stands in its place. Its job's id is that of its run. `metadata` is its submitter's.
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
        """Whether it can be put back on its queue."""
        return self.data is not None


def letter_of(
    job_id: str, expiry: float, values: Sequence[bytes | None], attempts: tuple[AttemptFailure, ...]
) -> DeadLetter | None:
    """The dead letter of a failed job; `values` are those of `FIELDS`. None when the job is gone."""
    found = {name: value for name, value in zip(FIELDS, values, strict=True) if value is not None}
    if not found:
        return None
    raw = found.get(RAW_FIELD)
    function, data = (None, None) if raw else _call(found.get("data", b""))
    if raw is None and data is None:
        raw = repr(_inflated(found.get("data", b""))[:2000]).encode()
    return DeadLetter(
        job_id=job_id,
        queue=_text(found, "origin"),
        name=_text(found, "description"),
        reason=reason(_text(found, "status"), attempts, readable=data is not None),
        error=attempts[-1].error if attempts else "",
        function=function,
        data=data,
        raw=raw.decode("utf-8", "replace") if raw else None,
        attempts=attempts,
        requeues=int(found.get(REQUEUES_FIELD, b"0")),
        metadata=read_metadata(found.get(METADATA_FIELD)),
        created_at=_moment(found.get("created_at")),
        died_at=_moment(found.get("ended_at")) or datetime.fromtimestamp(expiry - FAILURE_TTL_S, UTC),
        expires_at=datetime.fromtimestamp(expiry, UTC),
    )


def reason(status: str, attempts: Sequence[AttemptFailure], *, readable: bool) -> str:
    """Why no further attempt was made."""
    if not readable:
        return "the job cannot be read"
    if status == "stopped":
        return "an operator stopped it"
    if not attempts:
        return "it failed outside of qa-queue's workers"
    used_up = f"all attempts failed, {len(attempts)} of them" if len(attempts) > 1 else "its only attempt failed"
    return _REASONS.get(attempts[-1].kind, used_up)


_REASONS: Mapping[str, str] = {
    FailureKind.INPUT: "it cannot be done as given, so it was not tried again",
    FailureKind.BUG: "a processor raised an error of its own, so it was not tried again",
    FailureKind.TIMED_OUT: "it used up its time, so it was not tried again",
}


def _call(data: bytes) -> tuple[str | None, dict[str, Any] | None]:
    """Function and payload, each None where it cannot be read."""
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


def _moment(value: bytes | None) -> datetime | None:
    try:
        moment = str_to_date(value) if value else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
