"""The rules of limits. They are kept by the step that takes a job; see `LIMITING` in `priorities/lua.py`.

Runs are counted for `site:<host>` of where they go and `user:<user id>`. A rule for `site:*` holds for each site by
itself that has none of its own.
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
from qa_queue.queues.keys import LIMITS_KEY, QueueKeys
from qa_queue.redis import by_server

_KEY = re.compile(r"[a-z]+:\S+(?: \S+)*")
MOST = 1_000_000


@dataclass(frozen=True, kw_only=True)
class LimitRule:
    """At most `at_once` runs of a key at once, and `a_minute` starts in any 60 s; None is no limit."""

    at_once: int | None = None
    a_minute: int | None = None


class Limits:
    """The rules, which count from the next job that is taken; on several Redis servers, for each by itself."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def put(self, key: str, rule: LimitRule) -> str:
        """Set the rule of a key, such as `site:shop.example`, `site:*` or `user:ann`; returns the key as it counts.

        Jobs of the key that run already without a rule are not counted.

        Raises:
            InputError: the key or a number cannot be one.
        """
        key = normal_key(key)
        for name, number in (("at_once", rule.at_once), ("a_minute", rule.a_minute)):
            if number is not None and not 1 <= number <= MOST:
                raise InputError(
                    f"{name} of {key} is {number}: it should be 1 to {MOST}; pause a queue to stop it."
                )
        if rule == LimitRule():
            raise InputError(f"The rule of {key} limits nothing: give at_once or a_minute, or remove it.")
        text = ":".join("" if number is None else str(number) for number in (rule.at_once, rule.a_minute))
        for server, queues in self._servers():
            server.hset(LIMITS_KEY, key, text)
            _look_again(server, queues)
        return key

    def remove(self, key: str) -> bool:
        """Remove the rule of a key; what it held up may start at once. False when there was none.

        Raises:
            InputError: no rule can have such a key.
        """
        removed, key = False, normal_key(key)
        for server, queues in self._servers():
            removed = bool(server.hdel(LIMITS_KEY, key)) or removed
            _look_again(server, queues)
        return removed

    def rules(self) -> dict[str, LimitRule]:
        """Every rule, by key."""
        found = sorted(self._servers()[0][0].hgetall(LIMITS_KEY).items())
        return {as_text(key): _rule(as_text(value)) for key, value in found}

    def _servers(self) -> list[tuple[Redis, list[str]]]:
        return by_server(self._connection, queue_names())


def normal_key(key: str) -> str:
    """The key as runs are counted for: a site by its host alone, in lower case.

    Raises:
        InputError: no run would ever be counted for it.
    """
    kind, _, what = key.partition(":")
    if not _KEY.fullmatch(key):
        raise InputError(f"{key!r} cannot be limited: name a site or a user, as site:shop.example or user:ann.")
    if kind != "site" or what == "*":
        return key
    host = _host(what)
    if host is None or " " in what or what.lower() not in (host, f"[{host}]"):
        raise InputError(f"{key!r} would limit nothing: name the host alone, as site:{host or 'shop.example'}.")
    return f"site:{host}"


def _host(what: str) -> str | None:
    try:
        return urlsplit(what if "//" in what else f"//{what}").hostname
    except ValueError:
        return None


def _look_again(connection: Redis, queues: Sequence[str]) -> None:
    pipeline = connection.pipeline(transaction=False)
    for queue in queues:
        pipeline.zrange(QueueKeys(queue).limited, 0, -1)
    for queue, keys in zip(queues, pipeline.execute(), strict=True):
        if keys:
            connection.zadd(QueueKeys(queue).limited, dict.fromkeys(keys, 0), xx=True)


def _rule(text: str) -> LimitRule:
    at_once, a_minute = (int(part) if part else None for part in text.split(":"))
    return LimitRule(at_once=at_once, a_minute=a_minute)
