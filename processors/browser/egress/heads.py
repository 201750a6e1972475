"""The heads of requests to a proxy: their destinations, and the form in which servers get them. Pure.

h11 reads them. The most frequent form, that of a browser's GET without a body, is recognized by one expression,
which takes a tenth of the time; whatever differs from it is left to h11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

import h11

from processors.browser.egress.cache import merged
from processors.browser.egress.policy import Destination
from qa_queue.cases.hosts import PORTS, canonical_host

MAX_HEAD_BYTES = 1 << 18
CHUNKED = (b"transfer-encoding", b"chunked")
_HOP_BY_HOP = frozenset({b"proxy-connection", b"proxy-authorization", b"host"})
_PLAIN = re.compile(
    rb"(GET|HEAD) (http://([\w.:\[\]-]+)(/[!-\"$-\[\]-~]*)) HTTP/1\.1\r\n"
    rb"((?:[\w-]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n)+)\r\n"
)
_NOT_PLAIN = re.compile(
    rb"(?im)^(?:content-length|transfer-encoding|upgrade|connection|expect|te|trailer|proxy-authorization):"
    rb"|^proxy-connection:(?![ \t]*keep-alive\r)"
)
_REPLACED = re.compile(rb"(?im)^(?:host|proxy-connection):[^\r]*\r\n")
_HOST = re.compile(rb"(?im)^host:")


@dataclass(frozen=True, kw_only=True)
class RequestHead:
    """The head of a request; `to` is None where no browser sends it to a proxy.

    `lines` are those for its server: in origin form, with the host of its URL. A `single` request is the only one
    on its connection.
    """

    method: bytes
    url: str
    to: Destination | None
    lines: bytes
    single: bool = False
    upgrade: bool = False
    chunked: bool = False

    @property
    def is_tunnel(self) -> bool:
        """True for a request for a tunnel."""
        return self.method == b"CONNECT"

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers for the server, by name in lower case."""
        pairs = (line.partition(b":") for line in self.lines.split(b"\r\n")[1:-1])
        return merged((name, value.strip()) for name, _, value in pairs)

    def message(self, added: Sequence[tuple[str, str]] = ()) -> bytes:
        """Return it as its server gets it, with headers that are added."""
        more = "".join(f"{name}: {value}\r\n" for name, value in added)
        return b"%b%b\r\n" % (self.lines, more.encode("latin-1"))


def request_parser() -> h11.Connection:
    """Return a parser of the requests of a browser."""
    return h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)


def plain_head(data: bytes) -> RequestHead | None:
    """Return the head of data that are one whole request of the frequent form; None for all others."""
    found = _PLAIN.fullmatch(data)
    if found is None or _NOT_PLAIN.search(found[5]) or len(_HOST.findall(found[5])) != 1:
        return None
    line = b"%b %b HTTP/1.1\r\nHost: %b\r\nConnection: keep-alive\r\n" % (found[1], found[4], found[3])
    return RequestHead(
        method=found[1],
        url=found[2].decode("ascii"),
        to=_place(found[3].decode("ascii")),
        lines=line + _REPLACED.sub(b"", found[5]),
    )


def head_of(request: h11.Request) -> RequestHead:
    """Return the head of a request whose parts h11 has validated.

    Of two statements on the length of the body, the server gets the one that counts.
    """
    url, chunked = request.target.decode("ascii", "replace"), CHUNKED in request.headers
    to = _destination(url, tunnel=request.method == b"CONNECT")
    if to is None:
        return RequestHead(method=request.method, url=url, to=None, lines=b"")
    parts = urlsplit(request.target)
    target = (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")
    lines = [b"%b %b HTTP/1.1" % (request.method, target), b"Host: " + parts.netloc]
    for raw, (name, value) in zip(request.headers.raw_items(), request.headers, strict=True):
        if name == b"proxy-connection":
            lines.append(b"Connection: keep-alive")
        elif name not in _HOP_BY_HOP and not (chunked and name == b"content-length"):
            lines.append(b"%b: %b" % (raw[0], value))
    return RequestHead(
        method=request.method,
        url=url,
        to=to,
        lines=b"\r\n".join([*lines, b""]),
        single=(b"proxy-connection", b"close") in request.headers,
        upgrade=any(name == b"upgrade" for name, _ in request.headers),
        chunked=chunked,
    )


def _destination(target: str, *, tunnel: bool) -> Destination | None:
    try:
        parts = urlsplit(f"https://{target}" if tunnel else target)
    except ValueError:
        return None
    if "\\" in target or (tunnel and target != parts.netloc):
        return None
    if parts.scheme not in (("https",) if tunnel else ("http", "ws")):
        return None
    return _place(parts.netloc, tunnel=tunnel)


@lru_cache(maxsize=1024)
def _place(netloc: str, *, tunnel: bool = False) -> Destination | None:
    try:
        parts = urlsplit(f"//{netloc}")
        port = parts.port
    except ValueError:
        return None
    host = canonical_host(parts.hostname or "")
    if host is None or "@" in netloc or (tunnel and port is None):
        return None
    scheme = "https" if tunnel else "http"
    return Destination(scheme=scheme, host=host, port=PORTS["http"] if port is None else port)
