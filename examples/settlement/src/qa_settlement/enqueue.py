"""Put settlements on their queue."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from qa_queue import JobRequest, QueueProducer, RedisClient, SubmittedJob, load_settings
from qa_settlement.queue import QUEUE


def enqueue_settlement(
    user_id: str,
    place_id: str,
    mission_id: str,
    amount: Decimal | int | str,
    idempotency_key: str,
    metadata: Mapping[str, Any] | None = None,
    *,
    producer: QueueProducer | None = None,
) -> SubmittedJob:
    """Put a settlement on its queue; the same key gives the same job. By default the settings are used.

    Raises:
        PayloadError: the settlement is invalid; the message names every invalid field.
        IdempotencyConflictError: the key was used for another settlement.
        RedisUnavailableError: nothing was enqueued.
    """
    settlement = {
        "user_id": user_id,
        "place_id": place_id,
        "mission_id": mission_id,
        "amount": amount,
        "idempotency_key": idempotency_key,
        "metadata": dict(metadata or {}),
    }
    name = f"Settlement of {amount} for {user_id}"
    request = JobRequest(data=settlement, name=name, idempotency_key=idempotency_key)
    return (producer or _producer()).submit(QUEUE.name, request)[0]


def _producer() -> QueueProducer:
    settings = load_settings()
    return QueueProducer(RedisClient.instance(settings).connect(), settings)
