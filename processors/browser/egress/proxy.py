"""The only way out of a run's browser: a proxy on a loopback port of its own, for CONNECT and absolute-form HTTP.

Each connection is decided by the run's policy on the addresses that its host has. A host is looked up once for each
run, and only those addresses are connected to, so that an answer that changes later changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Self
from urllib.parse import urlsplit

import psutil

from processors.browser.egress.cache import HttpCache
from processors.browser.egress.connections import BrowserEnd, ServerEnd
from processors.browser.egress.policy import (
    REFUSED,
    Denied,
    Destination,
    EgressPolicy,
    Endpoint,
    Permitted,
    Rule,
    TooLarge,
    Unreachable,
)
from processors.browser.egress.throttle import Link, LinkSpeed
from processors.browser.protocol import NetworkUse
from qa_queue.cases.hosts import PORTS, Address, address_of, canonical_host
from qa_queue.cases.texts import mask

Resolve = Callable[[str], Awaitable[Sequence[Address]]]
CONNECT_TIMEOUT_S = 60.0
MAX_CONNECTIONS = 512  # of a run at once; a browser opens at most 256
MAX_HOSTS = 2_000  # of a run
LOOKUPS = 4  # of a run at once
MAX_NOTED = 2_000  # destinations that were not reached
LOGGED = 100  # refusals of a run
LISTED = 10  # in its report
_BY_PROXY = re.compile(r"net::(?:ERR_EMPTY_RESPONSE|ERR_TUNNEL_CONNECTION_FAILED)")
_threads = ThreadPoolExecutor(16, thread_name_prefix="resolve")  # so that slow names hold up no other work
_log = logging.getLogger(__name__)


async def resolve_host(host: str) -> Sequence[Address]:
    """Return the addresses of a host name.

    Raises:
        OSError: it has none.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return tuple(filter(None, map(address_of, ("127.0.0.1", "::1"))))
    look_up = asyncio.get_running_loop().run_in_executor(
        _threads, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    )
    found = (address_of(str(entry[4][0])) for entry in await look_up)
    return tuple(dict.fromkeys(filter(None, found)))


def looked_up(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint of the service with the addresses of its name, as far as it has any now.

    Public ones are left out: other hosts may share them, as behind a content delivery network.
    """
    with suppress(OSError):
        names = {str(entry[4][0]) for entry in socket.getaddrinfo(endpoint.host, None, type=socket.SOCK_STREAM)}
        found = frozenset(address for address in map(address_of, names) if address and not address.is_global)
        return replace(endpoint, addresses=endpoint.addresses | found)
    return endpoint


def machine_addresses() -> frozenset[Address]:
    """Return the addresses of this machine's network interfaces."""
    names = (entry.address for found in psutil.net_if_addrs().values() for entry in found)
    return frozenset(filter(None, map(address_of, names)))


class EgressProxy:
    """The proxy of one run, within `async with`."""

    def __init__(
        self,
        policy: EgressPolicy,
        resolve: Resolve = resolve_host,
        *,
        max_received: int | None = None,
        max_response: int | None = None,
        speed: LinkSpeed | None = None,
        cache: HttpCache | None = None,
        secrets: Collection[str] = (),
    ) -> None:
        self._secrets = {text: text for secret in secrets for text in (secret, secret.lower())}
        self.cache = cache
        self.down = Link(speed.download, speed.latency) if speed else None
        self.up = Link(speed.upload) if speed else None
        self._max_received = max_received
        self.max_response = max_response
        self.on_limit: Callable[[str], None] = _log.warning
        self._policy = policy
        self._resolve = resolve
        self._found: dict[str, asyncio.Task[Sequence[Address]]] = {}
        self._lookups = asyncio.Semaphore(LOOKUPS)
        self._obstacles: dict[tuple[str, int], Denied | Unreachable | TooLarge] = {}
        self._latest: Denied | Unreachable | None = None
        self._connections: set[BrowserEnd] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.denied: Counter[Denied] = Counter()  # connections
        self.refused: Counter[Rule] = Counter()  # the same, also beyond what is noted
        self.requests = 0
        self.received = 0  # bytes
        self.sent = 0
        self.cached = 0  # bytes that came from the cache

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: BrowserEnd(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()
        for lookup in self._found.values():
            lookup.cancel()

    @property
    def url(self) -> str:
        """The URL for the browser's settings."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def use(self) -> NetworkUse:
        """The traffic so far."""
        return NetworkUse(requests=self.requests, received=self.received, sent=self.sent, cached=self.cached)

    def obstacle(self, url: str) -> Denied | Unreachable | TooLarge | None:
        """Return why the host of a URL was not reached the last time; None if it was, or was not asked for."""
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS[parts.scheme]
        except (ValueError, KeyError):
            return None
        return self._obstacles.get((canonical_host(parts.hostname or "") or "", port))

    def explain(self, error: str, url: str) -> str:
        """Return the browser's error on a URL with the reason that the proxy knows: `net::ERR_CODE <reason>`.

        If the host itself was reached, it led elsewhere, and the latest obstacle is the reason.
        """
        if not _BY_PROXY.search(error):
            return error
        match self.obstacle(url) or self._latest:
            case Unreachable(code=code):
                return _BY_PROXY.sub(f"net::ERR_{code}", error)
            case Denied(to=to, reason=reason):
                shown = f"net::{REFUSED} <{self._shown(to)} {reason}>"
                return _BY_PROXY.sub(lambda _: shown, error)
        return error

    @property
    def notes(self) -> list[str]:
        """Sentences on the connections that were refused, for the report."""
        lines = [
            f"refused {times} x {self._shown(denied.to)}, which {denied.reason}"
            for denied, times in self.denied.items()
        ]
        more = len(lines) - LISTED
        return lines[:LISTED] + ([f"refused {more} other destinations too"] if more > 0 else [])

    def add(self, connection: BrowserEnd) -> bool:
        """Count a connection of the browser; False if there are too many."""
        if len(self._connections) >= MAX_CONNECTIONS:
            return False
        self._connections.add(connection)
        return True

    def remove(self, connection: BrowserEnd) -> None:
        """Forget a connection that is closed."""
        self._connections.discard(connection)

    async def decide(self, to: Destination) -> Permitted | Denied:
        """Return the decision on a destination, by addresses that are looked up once.

        Raises:
            OSError: the host has no address.
        """
        return self._policy.decide(to, await self._addresses(to.host))

    async def connect(self, to: Destination, decision: Permitted, make: Callable[[], ServerEnd]) -> ServerEnd:
        """Return a connection to one of the addresses of a decision.

        Raises:
            OSError: none of them answers.
        """
        loop, failure = asyncio.get_running_loop(), OSError("the host has no address")
        for address in decision.addresses:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    _, server = await loop.create_connection(make, str(address), to.port)
            except OSError as error:
                failure = error
                continue
            self._obstacles.pop((to.host, to.port), None)
            return server
        raise failure

    def receive(self, size: int) -> bool:
        """Count bytes that came for the browser; False once they are too many, which ends every connection."""
        within = self._max_received is None or self.received <= self._max_received
        self.received += size
        if self._max_received is None or self.received <= self._max_received:
            return True
        if within:
            self.on_limit(
                f"the pages received more than {self._max_received} bytes from the network (QA_RUN_NETWORK_MB)"
            )
            for connection in list(self._connections):
                connection.abort()
        return False

    def note(self, obstacle: Denied | Unreachable | TooLarge) -> None:
        """Remember why a connection was not made, or was cut off."""
        to = obstacle.to
        if len(self._obstacles) < MAX_NOTED:
            self._obstacles[to.host, to.port] = obstacle
        if isinstance(obstacle, TooLarge):
            return
        self._latest = obstacle
        if not isinstance(obstacle, Denied):
            return
        self.refused[obstacle.rule] += 1
        if obstacle in self.denied or len(self.denied) < MAX_NOTED:
            self.denied[obstacle] += 1
        if sum(self.refused.values()) <= LOGGED:
            _log.warning("Refused a connection to %s, which %s", self._shown(to), obstacle.reason)

    def _shown(self, to: Destination) -> str:
        """Return a destination in words; a page may have made its name of a secret."""
        return mask(str(to), self._secrets)

    async def _addresses(self, host: str) -> Sequence[Address]:
        if (address := address_of(host)) is not None:
            return (address,)
        if host not in self._found:
            if len(self._found) >= MAX_HOSTS:
                raise OSError(f"a run may reach at most {MAX_HOSTS} hosts")
            self._found[host] = asyncio.create_task(self._look_up(host))
        try:
            return await asyncio.shield(self._found[host])
        except OSError:
            self._found.pop(host, None)
            raise

    async def _look_up(self, host: str) -> Sequence[Address]:
        async with self._lookups:
            return await self._resolve(host)
