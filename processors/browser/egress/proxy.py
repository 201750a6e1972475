"""The only way out of a run's browser: a proxy on a loopback port of its own, for CONNECT and absolute-form HTTP.

Each connection is decided by the run's policy on the addresses that its host has. A host is looked up once for each
run, and only those addresses are connected to, so that an answer that changes later changes nothing. Responses are
passed on as they come; of the requests, h11 reads each head, because one connection may carry requests to several
hosts.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlsplit

import h11
import psutil

from processors.browser.egress.policy import REFUSED, Denied, Destination, EgressPolicy, Endpoint, Permitted, Rule
from qa_queue.cases.hosts import PORTS, Address, address_of, canonical_host

Resolve = Callable[[str], Awaitable[Sequence[Address]]]
CONNECT_TIMEOUT_S = 60.0
MAX_HEAD_BYTES = 1 << 18
MAX_CONNECTIONS = 512  # of a run at once; a browser opens at most 256
MAX_HOSTS = 2_000  # of a run
LOOKUPS = 4  # of a run at once
MAX_NOTED = 2_000  # destinations that were not reached
LOGGED = 100  # refusals of a run
LISTED = 10  # in its report
_BY_PROXY = re.compile(r"net::(?:ERR_EMPTY_RESPONSE|ERR_TUNNEL_CONNECTION_FAILED)")
_HOP_BY_HOP = frozenset({b"proxy-connection", b"proxy-authorization", b"host"})
_TLS_HANDSHAKE = 0x16
_threads = ThreadPoolExecutor(16, thread_name_prefix="resolve")  # so that slow names hold up no other work
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unreachable:
    """A connection that failed; `code` is the browser's word for the reason, as CONNECTION_REFUSED."""

    to: Destination
    code: str


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
    names = (entry.address.partition("%")[0] for found in psutil.net_if_addrs().values() for entry in found)
    return frozenset(filter(None, map(address_of, names)))


class EgressProxy:
    """The proxy of one run, within `async with`."""

    def __init__(self, policy: EgressPolicy, resolve: Resolve = resolve_host) -> None:
        self._policy = policy
        self._resolve = resolve
        self._found: dict[str, asyncio.Task[Sequence[Address]]] = {}
        self._lookups = asyncio.Semaphore(LOOKUPS)
        self._obstacles: dict[tuple[str, int], Denied | Unreachable] = {}
        self._latest: Denied | Unreachable | None = None
        self._connections: set[_FromBrowser] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.denied: Counter[Denied] = Counter()  # connections
        self.refused: Counter[Rule] = Counter()  # the same, also beyond what is noted
        self.requests = 0
        self.received = 0  # bytes
        self.sent = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _FromBrowser(self), "127.0.0.1", 0)
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

    def obstacle(self, url: str) -> Denied | Unreachable | None:
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
                return _BY_PROXY.sub(f"net::{REFUSED} <{to} {reason}>", error)
        return error

    @property
    def notes(self) -> list[str]:
        """Sentences on the connections that were refused, for the report."""
        lines = [f"refused {times} x {denied.to}, which {denied.reason}" for denied, times in self.denied.items()]
        more = len(lines) - LISTED
        return lines[:LISTED] + ([f"refused {more} other destinations too"] if more > 0 else [])

    def add(self, connection: _FromBrowser) -> bool:
        """Count a connection of the browser; False if there are too many."""
        if len(self._connections) >= MAX_CONNECTIONS:
            return False
        self._connections.add(connection)
        return True

    def remove(self, connection: _FromBrowser) -> None:
        """Forget a connection that is closed."""
        self._connections.discard(connection)

    async def decide(self, to: Destination) -> Permitted | Denied:
        """Return the decision on a destination, by addresses that are looked up once.

        Raises:
            OSError: the host has no address.
        """
        return self._policy.decide(to, await self._addresses(to.host))

    async def connect(self, to: Destination, decision: Permitted, make: Callable[[], _ToServer]) -> _ToServer:
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

    def note(self, obstacle: Denied | Unreachable) -> None:
        """Remember why a connection was not made."""
        to = obstacle.to
        self._latest = obstacle
        if len(self._obstacles) < MAX_NOTED:
            self._obstacles[to.host, to.port] = obstacle
        if not isinstance(obstacle, Denied):
            return
        self.refused[obstacle.rule] += 1
        if obstacle in self.denied or len(self.denied) < MAX_NOTED:
            self.denied[obstacle] += 1
        if sum(self.refused.values()) <= LOGGED:
            _log.warning("Refused a connection to %s, which %s", to, obstacle.reason)

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


class _End(asyncio.Protocol):
    """One end of a connection through the proxy; it stops reading while the other end cannot write."""

    transport: asyncio.Transport
    other: _End | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.transport.resume_reading()

    def abort(self) -> None:
        """Close both ends."""
        for end in (self, self.other):
            if end is not None:
                end.transport.abort()


class _ToServer(_End):
    """The end at the server: passes on what it sends."""

    other: _FromBrowser

    def __init__(self, proxy: EgressProxy, browser: _FromBrowser, to: Destination) -> None:
        self.other = browser
        self.to = to
        self._proxy = proxy

    def data_received(self, data: bytes) -> None:
        self._proxy.received += len(data)
        if self.other.other is self:
            self.other.transport.write(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self.other.other is self:
            self.other.transport.close()


class _FromBrowser(_End):
    """The end at the browser: reads the heads of its requests, until it becomes a tunnel."""

    other: _ToServer | None = None

    def __init__(self, proxy: EgressProxy) -> None:
        self._proxy = proxy
        self._parser = _parser()
        self._writer: h11.Connection | None = None  # of the request that is passed on
        self._opening: asyncio.Task[None] | None = None
        self._tunnel = False
        self._denials: dict[str, Denied] = {}  # of what a tunnel may carry, by scheme

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if not self._proxy.add(self):
            transport.abort()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._proxy.remove(self)
        if self._opening is not None:
            self._opening.cancel()
        if self.other is not None:
            self.other.transport.close()

    def data_received(self, data: bytes) -> None:
        if self._tunnel:
            self._pass_on(data)
            return
        try:
            self._parser.receive_data(data)
            self._advance()
        except h11.RemoteProtocolError as error:
            self._answer(400, f"{error}")

    def _advance(self) -> None:
        """Handle the requests that have arrived; while one is being opened, the others wait."""
        while self._opening is None and not self._tunnel:
            match self._parser.next_event():
                case h11.Request() as request:
                    self.transport.pause_reading()
                    self._opening = asyncio.create_task(self._open(request))
                case h11.Data() | h11.EndOfMessage() as event:
                    self._continue(event)
                case h11.ConnectionClosed():
                    self.transport.close()
                    return
                case _:
                    return

    async def _open(self, request: h11.Request) -> None:
        """Connect for a request and begin it; a request that may not be made ends the connection."""
        to = destination_of(request)
        if to is None:
            self._answer(400, "this is a proxy: it takes absolute URLs and CONNECT")
            return
        self._proxy.requests += 1
        try:
            done = await (self._open_tunnel(to) if request.method == b"CONNECT" else self._begin(request, to))
        except OSError as error:
            self._proxy.note(Unreachable(to, code_of(error)))
            done = False
        except h11.ProtocolError as error:
            self._answer(400, f"{error}")
            return
        if not done:
            self._end(request)
            return
        self._opening = None
        self.transport.resume_reading()
        try:
            self._advance()
        except h11.RemoteProtocolError as error:
            self._answer(400, f"{error}")

    def _end(self, request: h11.Request) -> None:
        """End a request that cannot be made as the network would, so that no page mistakes it for an answer."""
        if request.method == b"CONNECT":
            self._answer(502, "the destination was not reached")
        else:
            self.transport.close()

    async def _open_tunnel(self, to: Destination) -> bool:
        """Connect a tunnel; its scheme shows by its first byte, where the decision depends on it."""
        permitted: list[Permitted] = []
        for scheme in ("http", "https"):
            match await self._proxy.decide(replace(to, scheme=scheme)):
                case Denied() as denial:
                    self._denials[scheme] = denial
                case Permitted() as decision:
                    permitted.append(decision)
        if not permitted:
            self._proxy.note(self._denials["https"])
            return False
        self.other = await self._connect(to, permitted[0])
        self._tunnel = True
        self.transport.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        self._pass_on(self._parser.trailing_data[0])
        return True

    async def _begin(self, request: h11.Request, to: Destination) -> bool:
        """Pass on the head of a request, over the connection that there is or a new one."""
        if self.other is None or self.other.to != to or self.other.transport.is_closing():
            decision = await self._proxy.decide(to)
            if isinstance(decision, Denied):
                self._proxy.note(decision)
                return False
            before, self.other = self.other, None
            if before is not None:
                before.transport.close()
            self.other = await self._connect(to, decision)
        self._writer = h11.Connection(h11.CLIENT)
        self._send(_head(request))
        if any(name == b"upgrade" for name, _ in request.headers):
            self._tunnel = True
            self._pass_on(self._parser.trailing_data[0])
        return True

    async def _connect(self, to: Destination, decision: Permitted) -> _ToServer:
        return await self._proxy.connect(to, decision, lambda: _ToServer(self._proxy, self, to))

    def _continue(self, event: h11.Data | h11.EndOfMessage) -> None:
        """Pass on a piece of a body, or its end, after which the next request may come."""
        self._send(event)
        if isinstance(event, h11.EndOfMessage):
            rest, _ = self._parser.trailing_data
            self._parser = _parser()
            if rest:
                self._parser.receive_data(rest)

    def _send(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        assert self._writer is not None
        if data := self._writer.send(event):
            self._write(data)

    def _pass_on(self, data: bytes) -> None:
        """Pass on a piece of a tunnel, if it carries a scheme that it may carry."""
        if data and self._denials:
            denial = self._denials.get("https" if data[0] == _TLS_HANDSHAKE else "http")
            if denial is not None:
                self._proxy.note(denial)
                self.abort()
                return
            self._denials = {}
        if data:
            self._write(data)

    def _write(self, data: bytes) -> None:
        self._proxy.sent += len(data)
        if self.other is not None and not self.other.transport.is_closing():
            self.other.transport.write(data)

    def _answer(self, status: int, text: str) -> None:
        body = f"{text}\n".encode()
        head = f"HTTP/1.1 {status} Refused\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        self.transport.close()


def destination_of(request: h11.Request) -> Destination | None:
    """Return the destination of a request to a proxy; None for a request that no browser sends to one."""
    target = request.target.decode("ascii", "replace")
    tunnel = request.method == b"CONNECT"
    try:
        parts = urlsplit(f"https://{target}" if tunnel else target)
        port = parts.port
    except ValueError:
        return None
    host = canonical_host(parts.hostname or "")
    if host is None or "@" in parts.netloc or "\\" in target or (tunnel and port is None):
        return None
    if tunnel and target != parts.netloc:
        return None
    if parts.scheme not in (("https",) if tunnel else ("http", "ws")):
        return None
    return Destination(
        scheme="https" if tunnel else "http", host=host, port=PORTS["http"] if port is None else port
    )


def code_of(error: OSError) -> str:
    """Return the browser's word for an error of a connection."""
    match error:
        case socket.gaierror():
            return "NAME_NOT_RESOLVED"
        case ConnectionRefusedError():
            return "CONNECTION_REFUSED"
        case TimeoutError():
            return "TIMED_OUT"
        case ConnectionError():
            return "CONNECTION_RESET"
        case _:
            return "ADDRESS_UNREACHABLE"


def _parser() -> h11.Connection:
    return h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)


def _head(request: h11.Request) -> h11.Request:
    """Return a request as its server expects it: in origin form, with the host of its URL."""
    parts = urlsplit(request.target.decode("ascii"))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    kept = [(name, value) for name, value in request.headers.raw_items() if name.lower() not in _HOP_BY_HOP]
    headers = [(b"Host", parts.netloc.encode("ascii")), *kept]
    if any(name == b"proxy-connection" for name, _ in request.headers):
        headers.insert(1, (b"Connection", b"keep-alive"))
    return h11.Request(method=request.method, target=target.encode("ascii"), headers=headers)
