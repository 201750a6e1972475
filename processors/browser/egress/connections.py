"""The connections of a browser through its proxy.

Responses are passed on as they come; of the requests, each head is read, because one connection may carry requests
to several hosts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import h11

from processors.browser.egress.cache import Exchange, HttpCache, may_use, must_ask
from processors.browser.egress.heads import RequestHead, head_of, plain_head, request_parser
from processors.browser.egress.policy import Denied, Destination, Permitted, TooLarge, Unreachable, code_of
from processors.browser.egress.throttle import MAX_WAITING, Link

_TLS_HANDSHAKE = 0x16


class ProxyCalls(Protocol):
    """The proxy as its connections use it; see `EgressProxy`."""

    requests: int
    sent: int
    max_response: int | None
    cached: int
    cache: HttpCache | None
    down: Link | None
    up: Link | None

    def add(self, connection: BrowserEnd) -> bool:
        """Count a connection of the browser; False if there are too many."""

    def remove(self, connection: BrowserEnd) -> None:
        """Forget a connection that is closed."""

    async def decide(self, to: Destination) -> Permitted | Denied:
        """Return the decision on a destination."""

    async def connect(self, to: Destination, decision: Permitted, make: Callable[[], ServerEnd]) -> ServerEnd:
        """Return a connection to one of the addresses of a decision."""

    def receive(self, size: int) -> bool:
        """Count bytes that came for the browser; False once they are too many."""

    def note(self, obstacle: Denied | Unreachable | TooLarge) -> None:
        """Remember why a connection was not made, or was cut off."""


class _End(asyncio.Protocol):
    """One end of a connection through the proxy; it stops reading while the other end cannot write."""

    transport: asyncio.Transport
    other: _End | None = None
    _waiting = 0  # bytes on their way to this end
    _full = False  # it cannot be written to at once
    _ending = False  # it is closed once they have arrived

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self.transport = transport

    def pause_writing(self) -> None:
        """Stop reading from the other end."""
        self._full = True
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read from the other end again."""
        self._full = False
        if self.other is not None:
            self.other.transport.resume_reading()

    def deliver(self, data: bytes, link: Link | None, sender: _End) -> None:
        """Write data to this end, on a slow link once it has arrived."""
        if link is None:
            self.transport.write(data)
            return
        self._waiting += len(data)
        if self._waiting > MAX_WAITING:
            sender.transport.pause_reading()
        loop = asyncio.get_running_loop()
        loop.call_later(link.delay(len(data), loop.time()), self._arrive, data, sender)

    def close(self) -> None:
        """Close this end behind the data that is on its way to it."""
        self._ending = True
        if not self._waiting:
            self.transport.close()

    def _arrive(self, data: bytes, sender: _End) -> None:
        self._waiting -= len(data)
        self.transport.write(data)
        if self._ending:
            self.close()
        if self._waiting <= MAX_WAITING and not (self._full or sender.transport.is_closing()):
            sender.transport.resume_reading()

    def abort(self) -> None:
        """Close both ends."""
        for end in (self, self.other):
            if end is not None:
                end.transport.abort()


class ServerEnd(_End):
    """The end at the server: passes on what it sends."""

    other: BrowserEnd

    def __init__(self, proxy: ProxyCalls, browser: BrowserEnd, to: Destination) -> None:
        self.other = browser
        self.to = to
        self._proxy = proxy
        self._left = proxy.max_response if browser.single else None
        self.exchange: Exchange | None = None  # of a response that may be kept

    def data_received(self, data: bytes) -> None:
        """Pass data on to the browser."""
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self._proxy.note(TooLarge(self.to, self._proxy.max_response or 0))
                self.abort()
                return
        if self._proxy.receive(len(data)) and self.other.other is self:
            if self.exchange is not None:
                data = self._exchanged(self.exchange, data)
            if data:
                self.other.deliver(data, self._proxy.down, self)

    def _exchanged(self, exchange: Exchange, data: bytes) -> bytes:
        """Return what the browser gets for data of the server."""
        passed = exchange.receive(data)
        if exchange.known is not None:
            self._proxy.cached += len(passed)
        if exchange.over:
            self.exchange = None
        return passed

    def connection_lost(self, _exc: Exception | None) -> None:
        """Close the end at the browser."""
        if self.other.other is self:
            self.other.close()


class BrowserEnd(_End):
    """The end at the browser: reads the heads of its requests, until it becomes a tunnel."""

    other: ServerEnd | None = None

    def __init__(self, proxy: ProxyCalls) -> None:
        self._proxy = proxy
        self._parser = request_parser()
        self._between = True  # requests: the parser has nothing of the next one
        self._chunked = False  # the body of the request that is passed on
        self._opening: asyncio.Task[None] | None = None
        self._tunnel = False
        self.single = False  # the connection is for one request of the driver, that of a step
        self._denials: dict[str, Denied] = {}  # of what a tunnel may carry, by scheme

    def connection_made(self, transport: Any) -> None:
        """Count the connection; close it if there are too many."""
        super().connection_made(transport)
        if not self._proxy.add(self):
            transport.abort()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Close the end at the server."""
        self._proxy.remove(self)
        if self._opening is not None:
            self._opening.cancel()
        if self.other is not None:
            self.other.close()

    def data_received(self, data: bytes) -> None:
        """Read the heads of requests, or pass on what a tunnel carries."""
        if self._tunnel:
            self._pass_on(data)
            return
        if self._between and (head := plain_head(data)) is not None:
            self._take(head)
            return
        self._between = False
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
                    self._take(head_of(request))
                case h11.Data() | h11.EndOfMessage() as event:
                    self._continue(event)
                case h11.ConnectionClosed():
                    self.transport.close()
                    return
                case _:
                    return

    def _take(self, head: RequestHead) -> None:
        """Begin a request to the server that is connected, or open the way for it."""
        plain = self._proxy.cache is None and not head.is_tunnel
        if plain and head.to is not None and self._is_connected(head.to):
            self._proxy.requests += 1
            self._begin(head)
        else:
            self.transport.pause_reading()
            self._opening = asyncio.create_task(self._open(head, head.to))

    def _is_connected(self, to: Destination) -> bool:
        return self.other is not None and self.other.to == to and not self.other.transport.is_closing()

    async def _open(self, head: RequestHead, to: Destination | None) -> None:
        """Connect for a request and begin it; a request that may not be made ends the connection."""
        if to is None:
            self._answer(400, "this is a proxy: it takes absolute URLs and CONNECT")
            return
        self._proxy.requests += 1
        self.single = head.single
        try:
            done = await (self._open_tunnel(to) if head.is_tunnel else self._reach(head, to))
        except OSError as error:
            self._proxy.note(Unreachable(to, code_of(error)))
            done = False
        except h11.ProtocolError as error:
            self._answer(400, f"{error}")
            return
        if not done:
            self._end(head)
            return
        self._opening = None
        self.transport.resume_reading()
        try:
            self._advance()
        except h11.RemoteProtocolError as error:
            self._answer(400, f"{error}")

    def _end(self, head: RequestHead) -> None:
        """End a request that cannot be made as the network would, so that no page mistakes it for an answer."""
        if head.is_tunnel:
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

    async def _reach(self, head: RequestHead, to: Destination) -> bool:
        """Begin a request at its server, where another one than before has to be connected; or answer it here."""
        decision = await self._proxy.decide(to)
        if isinstance(decision, Denied):
            self._proxy.note(decision)
            return False
        exchange = await self._from_cache(head, self._proxy.cache) if self._proxy.cache else None
        if exchange is not None and exchange.over:
            return True
        if not self._is_connected(to):
            before, self.other = self.other, None
            if before is not None:
                before.transport.close()
            self.other = await self._connect(to, decision)
        self._begin(head, exchange)
        return True

    async def _from_cache(self, head: RequestHead, cache: HttpCache) -> Exchange | None:
        """Return the exchange of a request whose response may be kept; it is over if the answer was kept before."""
        url, headers, now = head.url, head.headers, time.time()
        if not may_use(head.method, headers):
            return None
        known = await cache.find(url, headers)
        exchange = Exchange(cache, url, headers, known)
        if known is not None and known.is_fresh(now) and not must_ask(headers):
            exchange.over = True
            self._chunked = False
            message = known.message(now)
            self._proxy.cached += len(message)
            self.deliver(message, self._proxy.down, self)
        return exchange

    def _begin(self, head: RequestHead, exchange: Exchange | None = None) -> None:
        """Pass on the head of a request, over the connection that there is."""
        self._chunked = head.chunked
        added = exchange.known.validators if exchange and exchange.known else []
        assert self.other is not None
        self.other.exchange = exchange
        self._write(head.message(added))
        if head.upgrade:
            self._tunnel = True
            self._pass_on(self._parser.trailing_data[0])

    async def _connect(self, to: Destination, decision: Permitted) -> ServerEnd:
        return await self._proxy.connect(to, decision, lambda: ServerEnd(self._proxy, self, to))

    def _continue(self, event: h11.Data | h11.EndOfMessage) -> None:
        """Pass on a piece of a body, or its end, after which the next request may come."""
        if isinstance(event, h11.Data):
            self._write(b"%x\r\n%b\r\n" % (len(event.data), event.data) if self._chunked else bytes(event.data))
            return
        if self._chunked:
            self._write(b"0\r\n\r\n")
        rest, _ = self._parser.trailing_data
        self._parser, self._between = request_parser(), not rest
        if rest:
            self._parser.receive_data(rest)

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
            self.other.deliver(data, self._proxy.up, self)

    def _answer(self, status: int, text: str) -> None:
        body = f"{text}\n".encode()
        head = f"HTTP/1.1 {status} Refused\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        self.transport.close()
