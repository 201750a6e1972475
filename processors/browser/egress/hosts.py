"""Lists of hosts as operators write them, such as `shop.example, *.shop.example, 127.0.0.1:8080`. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from qa_queue.cases.urls import WEB_SCHEMES

PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_FORM = "write HOST, HOST:PORT, *.DOMAIN or *, separated by commas"


@dataclass(frozen=True)
class HostPattern:
    """One entry of a list: a host, or with `subdomains` every host below it; None stands for any."""

    host: str
    subdomains: bool = False
    port: int | None = None
    scheme: str | None = None

    def matches(self, scheme: str, host: str, port: int | None) -> bool:
        """Return True for a URL with these parts."""
        if self.scheme not in (None, scheme) or self.port not in (None, port):
            return False
        if self.subdomains:
            return not self.host or host.endswith(f".{self.host}")
        return host == self.host


@dataclass(frozen=True)
class HostList:
    """A list of hosts."""

    patterns: tuple[HostPattern, ...]

    @classmethod
    def parse(cls, text: str) -> HostList:
        """Return the list in a text.

        Raises:
            ValueError: an entry is not a host.
        """
        return cls(tuple(_pattern(part.strip()) for part in text.split(",") if part.strip()))

    def match_url(self, url: str) -> bool:
        """Return True where the host of a URL is on the list."""
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS.get(parts.scheme)
        except ValueError:
            return False
        return parts.scheme in PORTS and self.match(parts.scheme, parts.hostname or "", port)

    def match(self, scheme: str, host: str, port: int | None) -> bool:
        """Return True where a host, in lower case, is on the list."""
        return bool(host) and any(pattern.matches(scheme, host, port) for pattern in self.patterns)


NO_HOST = HostList(())
ANY_HOST = HostList((HostPattern("", subdomains=True),))


def document_url(urls: Iterable[str]) -> str:
    """Return the URL that a document belongs to; `urls` are those of its frame and the frames around it.

    An empty frame has the origin of the one that made it.
    """
    return next((url for url in urls if url not in ("", "about:blank", "about:srcdoc")), "")


def _pattern(text: str) -> HostPattern:
    if text == "*":
        return HostPattern("", subdomains=True)
    parts = _split(text)
    subdomains = (parts.hostname or "").startswith("*.")
    host = (parts.hostname or "").removeprefix("*.")
    whole = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password)
    if not host or "*" in host or not whole or parts.scheme not in ("", *WEB_SCHEMES):
        raise ValueError(f"{text!r} is not a host: {_FORM}")
    return HostPattern(_ascii(host), subdomains, parts.port, parts.scheme or None)


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is not a host ({error}): {_FORM}") from None
    return parts


def _ascii(host: str) -> str:
    """Return a host name as browsers show it to us, in Punycode."""
    return host if host.isascii() else host.encode("idna").decode()
