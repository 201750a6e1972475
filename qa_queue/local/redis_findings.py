"""What there is to say about the Redis servers that the settings name."""

from __future__ import annotations

import difflib

from qa_queue.extensions import queue_names
from qa_queue.local.diagnosis import Diagnosis
from qa_queue.redis import RedisClient
from qa_queue.settings import Settings
from qa_queue.settings.rules import queue_variable

PART = "redis"
KEEPS = "noeviction"


def redis_findings(settings: Settings) -> list[Diagnosis]:
    """Of the main Redis, of those of queues that have their own, and of settings that name no queue."""
    client = RedisClient(settings)
    try:
        own = [name for name in queue_names() if settings.redis_url_of(name)]
        return [_server(client, None), *(_server(client, name) for name in own), *_unknown(settings)]
    finally:
        client.disconnect()


def _server(client: RedisClient, queue: str | None) -> Diagnosis:
    setting = "the settings of Redis" if queue is None else queue_variable(queue)
    what = "" if queue is None else f" of {queue}"
    health = client.health_check(queue)
    if not health.ok:
        unset = "unset them to have one started" if queue is None else "unset it to use the main one"
        return Diagnosis(PART, "broken", health.error or "", f"correct {setting}, or {unset}")
    said = f"Redis{what} {health.version} answers in {health.latency_ms:.1f} ms"
    policy = _policy(client, queue)
    if policy not in (None, KEEPS):
        return Diagnosis(
            PART,
            "broken",
            f"{said}, but may drop jobs when its memory is full (maxmemory-policy {policy})",
            f"set its maxmemory-policy to {KEEPS}",
        )
    return Diagnosis(PART, "ok", said)


def _policy(client: RedisClient, queue: str | None) -> str | None:
    """What the server does when its memory is full; None where it does not say."""
    connection = client.connect() if queue is None else client.connection_of(queue)
    found: dict[str, object] = connection.info("memory")
    policy = found.get("maxmemory_policy")
    return None if policy is None else str(policy)


def _unknown(settings: Settings) -> list[Diagnosis]:
    known = {queue_variable(name): name for name in queue_names()}
    strangers = sorted(settings.redis_url_names - known.keys())
    return [Diagnosis(PART, "broken", f"{name} names no queue", _mend(name, list(known))) for name in strangers]


def _mend(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"rename it to {nearest[0]}" if nearest else f"unset it; there are {', '.join(known)}"
