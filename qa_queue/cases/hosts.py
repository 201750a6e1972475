"""Lists of hosts as operators and cases write them: `shop.example, *.shop.example, 127.0.0.1:8080`. Pure."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from qa_queue.cases.urls import WEB_SCHEMES

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_FORM = "write HOST, HOST:PORT, *.DOMAIN or *, separated by commas"
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


@dataclass(frozen=True)
class HostPattern:
    """One entry of a list: a host, or with `subdomains` every host below it, of which an empty one has every host.

    `network` stands for the addresses in it instead.
    """

    host: str
    subdomains: bool = False
    port: int | None = None
    scheme: str | None = None
    network: Network | None = None

    def matches(self, scheme: str, host: str, port: int | None) -> bool:
        """Return True for a URL with these parts."""
        if not self._fits(scheme, port) or self.network is not None:
            return False
        if self.subdomains:
            return not self.host or host.endswith(f".{self.host}")
        return host == self.host

    def covers(self, scheme: str, address: Address, port: int | None) -> bool:
        """Return True for an address that the entry names, itself or by its network."""
        network = self.network or network_of(self.host)
        return network is not None and self._fits(scheme, port) and address in network

    def _fits(self, scheme: str, port: int | None) -> bool:
        return self.scheme in (None, scheme) and self.port in (None, port)


@dataclass(frozen=True)
class HostList:
    """A list of hosts."""

    patterns: tuple[HostPattern, ...]

    @classmethod
    def parse(cls, text: str, *, networks: bool = False) -> HostList:
        """Return the list in a text; with `networks` its entries may also be networks, such as `10.0.0.0/8`.

        Raises:
            ValueError: an entry is not a host.
        """
        return cls.of((part.strip() for part in text.split(",") if part.strip()), networks=networks)

    @classmethod
    def of(cls, entries: Iterable[str], *, networks: bool = False) -> HostList:
        """Return the list of these entries.

        Raises:
            ValueError: one of them is not a host.
        """
        return cls(tuple((_network(entry) if networks else None) or _pattern(entry) for entry in entries))

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

    def covers(self, scheme: str, address: Address, port: int | None) -> bool:
        """Return True where an address is on the list, itself or by a network."""
        return any(pattern.covers(scheme, address, port) for pattern in self.patterns)


NO_HOST = HostList(())
ANY_HOST = HostList((HostPattern("", subdomains=True),))


def canonical_host(host: str) -> str | None:
    """Return a host as browsers write it, an IPv6 address without brackets and zone; None for what is not a host.

    Addresses have many forms, such as `0x7f.1` and `2130706433` for `127.0.0.1`.
    """
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host.partition("%")[0]).compressed
        except ValueError:
            return None
    try:
        name = unquote(host).encode("idna").decode().lower().rstrip(".")
    except UnicodeError:
        return None
    if not _HOST.fullmatch(name):
        return None
    try:
        return socket.inet_ntoa(socket.inet_aton(name))
    except OSError:
        return name


def address_of(host: str) -> Address | None:
    """Return the address that a canonical host is, without its zone; None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def network_of(host: str) -> Network | None:
    """Return the network with the one address that a host is; None for a name."""
    address = address_of(host)
    return None if address is None else ipaddress.ip_network(address)


def _network(text: str) -> HostPattern | None:
    """Return the entry of a network; None for another entry."""
    if "/" not in text:
        return None
    try:
        return HostPattern("", network=ipaddress.ip_network(text, strict=False))
    except ValueError:
        return None


def _pattern(text: str) -> HostPattern:
    parts = _split(text)
    subdomains = (parts.hostname or "").startswith("*.") or parts.hostname == "*"
    host = (parts.hostname or "").removeprefix("*").removeprefix(".") if subdomains else parts.hostname or ""
    whole = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password)
    named = bool(host) or parts.hostname == "*"
    if not named or "*" in host or not whole or parts.scheme not in ("", *WEB_SCHEMES):
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
