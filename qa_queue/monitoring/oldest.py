"""How long jobs have been waiting: the age of the oldest of each queue, read without changing anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from rq.utils import as_text, str_to_date

from qa_queue.models import utc_now
from qa_queue.queues.keys import JOB_PREFIX, QueueKeys
from qa_queue.queues.priority import BAND_US
from qa_queue.redis import by_server

LOOKED_AT = 20  # jobs of each band of priorities
# A band is in the order of arrival; LOW stands among NORMAL 10 minutes behind its arrival, hence several of each.
_BANDS = (("-inf", f"({-BAND_US}"), (-BAND_US, "(0"), (0, "+inf"))
_LISTS = len(_BANDS) + 2


def read_oldest(connection: Redis, names: Sequence[str], now: datetime) -> dict[str, float]:
    """Seconds that the oldest waiting job of each of these queues has waited; those without one are left out.

    Two round trips. LOW jobs are found as far as they are among the first 20 of their band.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    ids = _candidates(connection, names)
    flat = [(name, job_id) for name, found in ids.items() for job_id in found]
    ages: dict[str, float] = {}
    for (name, _), moment in zip(flat, _moments(connection, [job_id for _, job_id in flat]), strict=True):
        if moment is not None:
            ages[name] = max(ages.get(name, 0.0), (now - moment).total_seconds())
    return ages


def oldest_waiting(connection: Redis, names: Sequence[str]) -> dict[str, float]:
    """As `read_oldest` now, for queues on whatever Redis each has."""
    now = utc_now()
    return {
        name: age
        for server, queues in by_server(connection, names)
        for name, age in read_oldest(server, queues, now).items()
    }


def _moments(connection: Redis, job_ids: Sequence[str]) -> list[datetime | None]:
    """Since when each of these jobs has waited; None for what is no job."""
    pipeline = connection.pipeline(transaction=False)
    for job_id in job_ids:
        pipeline.hmget(f"{JOB_PREFIX}{job_id}", "enqueued_at", "created_at")
    answers: list[Any] = pipeline.execute(raise_on_error=False)
    return [None if isinstance(one, Exception) else _moment(one[0]) or _moment(one[1]) for one in answers]


def _candidates(connection: Redis, names: Sequence[str]) -> dict[str, set[str]]:
    pipeline = connection.pipeline(transaction=False)
    for name in names:
        keys = QueueKeys(name)
        for lowest, highest in _BANDS:
            pipeline.zrangebyscore(keys.ranks, lowest, highest, start=0, num=LOOKED_AT)
        pipeline.zrange(keys.parked, 0, LOOKED_AT - 1)
        pipeline.lrange(keys.waiting, 0, 0)  # what plain RQ code pushed has no rank for a moment
    answers: list[Any] = pipeline.execute()
    parts = {name: answers[at * _LISTS : (at + 1) * _LISTS] for at, name in enumerate(names)}
    return {name: {str(as_text(i)) for part in lists for i in part} for name, lists in parts.items()}


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, bytes) or not value:
        return None
    try:
        found: datetime | None = str_to_date(value)
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)
