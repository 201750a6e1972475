"""Redis by Sentinel: a bounded pool that follows the master, and the reason if there is no master."""

from __future__ import annotations

import time
from typing import Any

from redis import BlockingConnectionPool
from redis.exceptions import AuthenticationError, ConnectionError, RedisError, ResponseError, TimeoutError
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool

from qa_queue.redis.servers import SentinelGroup

ASK_TIMEOUT_S = 1.0  # of one Sentinel; the next is asked then
ASK_EVERY_S = 1.0  # whether the master is still the same
ASK_AGAIN_S = 10.0  # where no Sentinel says


class FollowingPool(SentinelConnectionPool, BlockingConnectionPool):
    """As a `BlockingConnectionPool`, whose connections go to the master, and leave one that was replaced.

    redis-py asks the Sentinels only when it opens a connection. After a planned failover the old master takes
    writes for some seconds more, and those are lost, so here they are asked once a second while there is work.
    """

    def __init__(self, master: str, discovery: Discovery, **options: Any) -> None:
        self._ask_at = 0.0
        super().__init__(master, discovery, **options)  # type: ignore[no-untyped-call] # redis-py

    def get_connection(self, *args: Any, **options: Any) -> Any:
        """A connection to the master, waited for where all are in use."""
        now = time.monotonic()
        if now >= self._ask_at:
            self._ask_at = now + ASK_EVERY_S
            try:
                self.get_master_address()  # type: ignore[no-untyped-call] # redis-py; drops idle connections to another
            except RedisError:
                self._ask_at = now + ASK_AGAIN_S  # the connections that there are may do without Sentinels
        return super().get_connection(*args, **options)  # type: ignore[no-untyped-call] # redis-py

    def close(self) -> None:
        """Close every connection, those to the Sentinels too."""
        super().close()
        for sentinel in self.sentinel_manager.sentinels:
            sentinel.close()


class Discovery(Sentinel):
    """Asks one Sentinel after the other, and tells apart why none names the master."""

    def __init__(self, group: SentinelGroup, options: dict[str, Any]) -> None:
        self.group = group
        login = {"username": group.username, "password": group.password}
        super().__init__(list(group.hosts), sentinel_kwargs=login | options)  # type: ignore[no-untyped-call] # redis-py

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return where the master of this name is.

        Raises:
            redis.sentinel.MasterNotFoundError: no one knows it; says why and what to do.
        """
        problems: list[str] = []
        for at, sentinel in enumerate(self.sentinels):
            try:
                masters: Any = sentinel.sentinel_masters()
            except (AuthenticationError, ConnectionError, TimeoutError, ResponseError) as error:
                problems.append(_unusable(sentinel, error))
                continue
            state = masters.get(service_name)
            if state and self.check_master_state(state, service_name):  # type: ignore[no-untyped-call] # redis-py
                # Who knew it is asked first the next time.
                self.sentinels[0], self.sentinels[at] = sentinel, self.sentinels[0]
                return state["ip"], state["port"]
            problems.append(_unknown(service_name, masters))
        raise MasterNotFoundError("; ".join(dict.fromkeys(problems)))


def _unusable(sentinel: Any, error: RedisError) -> str:
    options = sentinel.connection_pool.connection_kwargs
    place = f"{options.get('host')}:{options.get('port')}"
    match error:
        case AuthenticationError():
            return f"{place} refused the login: check REDIS_SENTINEL_PASSWORD and REDIS_SENTINEL_USERNAME"
        case ResponseError() if "unknown command" in str(error):
            return f"{place} is not a Sentinel: check host and port in REDIS_SENTINELS"
        case ResponseError():
            return f"{place} refused to say ({error}): check REDIS_SENTINEL_USERNAME and its rights"
    return f"no Sentinel answers at {place}: check REDIS_SENTINELS and the firewall"


def _unknown(name: str, masters: dict[str, Any]) -> str:
    if name in masters:
        return f"the master {name!r} is down and no other was chosen yet: wait for the failover"
    known = ", ".join(sorted(masters)) or "none"
    return f"the Sentinels watch no master {name!r}: set REDIS_SENTINEL_MASTER to one that they do watch ({known})"
