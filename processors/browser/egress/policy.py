"""The decision on each connection of a run: where the operator, its token and its case let it go. Pure.

Every layer has to allow a destination, so the narrowest wins. Beneath them are addresses that no run reaches, under
any name: those of the service itself, of cloud metadata, and link-local ones.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from qa_queue.cases.hosts import NO_HOST, Address, HostList, address_of, canonical_host

Rule = Literal["own", "metadata", "private", "operator", "token", "case"]
REFUSED = "ERR_BLOCKED_BY_CLIENT"  # Chromium's name for a request that its client refused
METADATA_HOSTS = frozenset({"metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"})
_NETWORK = ipaddress.ip_network
# Link-local, where clouds serve metadata; addresses at which some serve it elsewhere; multicast; reserved ones.
_NEVER = tuple(
    map(
        _NETWORK,
        (
            "169.254.0.0/16", "fe80::/10", "fec0::/10", "fd00:ec2::/32", "fd20:ce::254/128", "100.100.100.200/32",
            "168.63.129.16/32", "192.0.0.192/32", "224.0.0.0/4", "240.0.0.0/4", "ff00::/8",
        ),
    )
)  # fmt: skip
_PRIVATE = tuple(
    map(
        _NETWORK,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.0.0.0/24",
            "192.168.0.0/16", "198.18.0.0/15", "::/127", "fc00::/7",
        ),
    )
)  # fmt: skip
# IPv6 networks whose last 32 bits are an IPv4 address: compatible, translated, NAT64.
_ENDS_IN_IPV4 = tuple(map(_NETWORK, ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")))
_LOCAL_NAT64 = _NETWORK("64:ff9b:1::/48")
_ISATAP = 0x5EFE  # before the IPv4 address, apart from one bit
_UNSPECIFIED = frozenset(map(ipaddress.ip_address, ("0.0.0.0", "::")))  # noqa: S104 - reaches loopback on Linux


@dataclass(frozen=True, kw_only=True)
class Destination:
    """The destination of a connection; `host` is canonical, `scheme` is http for WebSockets without TLS too."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An address of the service itself. Without a port, every port of the host is."""

    host: str
    port: int | None = None
    addresses: frozenset[Address] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Layer:
    """The lists of one party; without `allow` it allows every host. The names say in messages where they are."""

    rule: Rule
    allow_name: str
    deny_name: str = ""
    allow: HostList | None = None
    deny: HostList = NO_HOST


@dataclass(frozen=True)
class Permitted:
    """A connection that may be made, to one of these addresses."""

    addresses: tuple[Address, ...]


@dataclass(frozen=True)
class Denied:
    """A connection that may not be made; `reason` is a predicate, as `is an address of the service itself`."""

    to: Destination
    rule: Rule
    reason: str


@dataclass(frozen=True)
class Unreachable:
    """A connection that failed; `code` is the browser's word for the reason, as CONNECTION_REFUSED."""

    to: Destination
    code: str


@dataclass(frozen=True)
class TooLarge:
    """A response to a `request` step that was cut off after `most` bytes."""

    to: Destination
    most: int


@dataclass(frozen=True, kw_only=True)
class EgressPolicy:
    """The rules for one run. `machine` are the addresses of this machine, loopback not among them."""

    layers: tuple[Layer, ...] = ()
    own: tuple[Endpoint, ...] = ()
    machine: frozenset[Address] = frozenset()
    private: bool = True
    ports: Collection[int] = field(default=frozenset(), repr=False)  # of the proxies of this process

    def decide(self, to: Destination, addresses: Sequence[Address]) -> Permitted | Denied:
        """Return the decision on a connection to a host that has these addresses."""
        if to.host in METADATA_HOSTS:
            return Denied(to, "metadata", _METADATA)
        if any(to.host == one.host and one.port in (None, to.port) for one in self.own):
            return Denied(to, "own", _OWN)
        denials = {address: self._refusal(to, address) for address in addresses}
        good = tuple(address for address, denial in denials.items() if denial is None)
        if addresses and not good:
            return next(denial for denial in denials.values() if denial is not None)
        for layer in self.layers:
            good, denial = _through(layer, to, good)
            if denial is not None:
                return denial
        return Permitted(good)

    def _refusal(self, to: Destination, address: Address) -> Denied | None:
        """Return why an address may not be reached, whatever the lists say."""
        forms = forms_of(address)
        if any(form in network for form in forms for network in _NEVER):
            return Denied(to, "metadata", _METADATA)
        if any(self._is_own(form, to.port) for form in forms):
            return Denied(to, "own", _OWN)
        if not self.private and any(self._is_private(form) for form in forms):
            return Denied(to, "private", "has a private address, which the operator denies (QA_EGRESS_PRIVATE)")
        return None

    def _is_own(self, address: Address, port: int) -> bool:
        here = self._is_here(address)
        if here and port in self.ports:
            return True
        return any(
            one.port in (None, port)
            and (address in one.addresses or (here and any(map(self._is_here, one.addresses))))
            for one in self.own
        )

    def _is_here(self, address: Address) -> bool:
        return address.is_loopback or address in _UNSPECIFIED or address in self.machine

    def _is_private(self, address: Address) -> bool:
        return address in self.machine or any(address in network for network in _PRIVATE)


_OWN = "is an address of the service itself"
_METADATA = "is an address of cloud metadata, link-local or reserved"


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


def endpoints(urls: Iterable[str]) -> tuple[Endpoint, ...]:
    """Return the endpoints in URLs, or hosts without a scheme; what has no host, such as a socket, is left out."""
    found = []
    for url in urls:
        parts = urlsplit(url if "://" in url else f"//{url}")
        host = canonical_host(parts.hostname or "")
        default = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379, "postgresql": 5432}
        if host:
            address = address_of(host)
            known = frozenset([address]) if address else frozenset()
            found.append(Endpoint(host=host, port=parts.port or default.get(parts.scheme), addresses=known))
    return tuple(found)


def forms_of(address: Address) -> tuple[Address, ...]:
    """Return an address with the IPv4 addresses that are written in it, which a gateway or the kernel would use."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    teredo = address.teredo[1] if address.teredo else None
    named = (address.ipv4_mapped, address.sixtofour, teredo)
    return (
        address,
        *(inner for inner in named if inner is not None),
        *map(ipaddress.IPv4Address, _written(address)),
    )


def _written(address: ipaddress.IPv6Address) -> Iterator[int]:
    """Yield the IPv4 addresses that an IPv6 address may end in (RFC 6052, 5214)."""
    value = int(address)
    ends = any(address in network for network in _ENDS_IN_IPV4)
    if value > 1 and (ends or (value >> 32) & 0xFDFFFFFF == _ISATAP):
        yield value & 0xFFFFFFFF
    if address in _LOCAL_NAT64:  # of this length, with an empty byte in between
        yield (value >> 64 & 0xFFFF) << 16 | value >> 40 & 0xFFFF


def _through(
    layer: Layer, to: Destination, addresses: tuple[Address, ...]
) -> tuple[tuple[Address, ...], Denied | None]:
    """Return the addresses that a layer lets through, and its denial."""
    if layer.deny.match(to.scheme, to.host, to.port):
        return (), Denied(to, layer.rule, f"is denied by {layer.deny_name}")
    good = tuple(one for one in addresses if not _covered(layer.deny, to, one))
    if addresses and not good:
        return (), Denied(to, layer.rule, f"has an address that is denied by {layer.deny_name}")
    if layer.allow is None or layer.allow.match(to.scheme, to.host, to.port):
        return good, None
    good = tuple(one for one in good if _covered(layer.allow, to, one))
    return (good, None) if good else ((), Denied(to, layer.rule, f"is not allowed by {layer.allow_name}"))


def _covered(hosts: HostList, to: Destination, address: Address) -> bool:
    return any(hosts.covers(to.scheme, form, to.port) for form in forms_of(address))
