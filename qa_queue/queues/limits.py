"""Holding jobs back: pausing a queue, and limiting the runs of a site or a user.

The limit keys of a run are `site:<host>` of its base URL, `user:<user id>`, and `lock:<name>` where its case has a
`lock`; of runs with the same lock one runs at a time, unless a rule allows more. A rule for `site:*` applies to
each site without a rule of its own, separately. The script that dequeues applies the rules; see lua/limits.lua.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from redis import Redis
from rq.utils import as_text

from qa_queue.errors import InputError
from qa_queue.extensions import queue_names
from qa_queue.queues.keys import LIMITS_KEY, QueueKeys, QueueScript
from qa_queue.redis import by_server

_KEY = re.compile(r"[a-z]+:\S+(?: \S+)*")
MAX_LIMIT = 1_000_000

_PAUSE = QueueScript.load("pause")


def pause(connection: Redis, queue: str) -> bool:
    """Pause a queue: its workers take no more jobs, and finish those that run. False when it was paused already."""
    return bool(_PAUSE.run(connection, [queue], 1))


def resume(connection: Redis, queue: str) -> bool:
    """Resume a queue and wake its workers. False when it was not paused."""
    return bool(_PAUSE.run(connection, [queue], 0))


@dataclass(frozen=True, kw_only=True)
class LimitRule:
    """At most `at_once` running jobs of a key, and `a_minute` starts in any 60 s; None is unlimited."""

    at_once: int | None = None
    a_minute: int | None = None


class Limits:
    """The limit rules. They apply from the next start on and, with several Redis servers, to each separately."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def put(self, key: str, rule: LimitRule) -> str:
        """Set the rule of a key, such as `site:shop.example`, `site:*` or `user:ann`; returns the normalized key.

        Jobs of the key that started before there was a rule are not counted.

        Raises:
            InputError: the key or a number is invalid.
        """
        key = normal_key(key)
        for name, number in (("at_once", rule.at_once), ("a_minute", rule.a_minute)):
            if number is not None and not 1 <= number <= MAX_LIMIT:
                raise InputError(
                    f"{name} of {key} is {number}: it should be 1 to {MAX_LIMIT}; pause a queue to stop it."
                )
        if rule == LimitRule():
            raise InputError(f"The rule of {key} limits nothing: give at_once or a_minute, or remove it.")
        text = ":".join("" if number is None else str(number) for number in (rule.at_once, rule.a_minute))
        for server, queues in self._servers():
            server.hset(LIMITS_KEY, key, text)
            _recheck(server, queues)
        return key

    def remove(self, key: str) -> bool:
        """Remove the rule of a key; jobs that it held may start at once. False when there was no rule.

        Raises:
            InputError: the key is invalid.
        """
        removed, key = False, normal_key(key)
        for server, queues in self._servers():
            removed = bool(server.hdel(LIMITS_KEY, key)) or removed
            _recheck(server, queues)
        return removed

    def rules(self) -> dict[str, LimitRule]:
        """Return every rule by key."""
        found = sorted(self._servers()[0][0].hgetall(LIMITS_KEY).items())
        return {as_text(key): _rule(as_text(value)) for key, value in found}

    def _servers(self) -> list[tuple[Redis, list[str]]]:
        return by_server(self._connection, queue_names())


def normal_key(key: str) -> str:
    """Return the key as runs are counted for it: of a site the host alone, in lower case.

    Raises:
        InputError: no run would ever be counted for it.
    """
    kind, _, value = key.partition(":")
    if not _KEY.fullmatch(key):
        raise InputError(f"{key!r} cannot be limited: name a site or a user, as site:shop.example or user:ann.")
    if kind != "site" or value == "*":
        return key
    host = _host(value)
    if host is None or " " in value or value.lower() not in (host, f"[{host}]"):
        raise InputError(f"{key!r} would limit nothing: name the host alone, as site:{host or 'shop.example'}.")
    return f"site:{host}"


def _host(value: str) -> str | None:
    try:
        return urlsplit(value if "//" in value else f"//{value}").hostname
    except ValueError:
        return None


def _recheck(connection: Redis, queues: Sequence[str]) -> None:
    """Have every limit key with parked jobs checked by the next dequeue."""
    pipeline = connection.pipeline(transaction=False)
    for queue in queues:
        pipeline.zrange(QueueKeys(queue).limited, 0, -1)
    for queue, keys in zip(queues, pipeline.execute(), strict=True):
        if keys:
            connection.zadd(QueueKeys(queue).limited, dict.fromkeys(keys, 0), xx=True)


def _rule(text: str) -> LimitRule:
    at_once, a_minute = (int(part) if part else None for part in text.split(":"))
    return LimitRule(at_once=at_once, a_minute=a_minute)
