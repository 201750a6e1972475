"""The heads of requests to a proxy: their destinations, and the form in which servers get them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import h11

from processors.browser.egress.policy import Destination
from qa_queue.cases.hosts import PORTS, canonical_host

MAX_HEAD_BYTES = 1 << 18
CHUNKED = (b"transfer-encoding", b"chunked")
_HOP_BY_HOP = frozenset({b"proxy-connection", b"proxy-authorization", b"host"})


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


def request_parser() -> h11.Connection:
    """Return a parser of the requests of a browser."""
    return h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)


def request_head(request: h11.Request, added: Sequence[tuple[str, str]] = (), *, chunked: bool = False) -> bytes:
    """Return the head of a request as its server expects it: in origin form, with the host of its URL.

    h11 has validated the parts. Of two statements on the length of the body, the server gets the one that counts.
    """
    parts = urlsplit(request.target)
    target = (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")
    lines = [b"%b %b HTTP/1.1" % (request.method, target), b"Host: " + parts.netloc]
    for raw, (name, value) in zip(request.headers.raw_items(), request.headers, strict=True):
        if name == b"proxy-connection":
            lines.append(b"Connection: keep-alive")
        elif name not in _HOP_BY_HOP and not (chunked and name == b"content-length"):
            lines.append(b"%b: %b" % (raw[0], value))
    lines += [f"{name}: {value}".encode("latin-1") for name, value in added]
    return b"\r\n".join([*lines, b"", b""])
