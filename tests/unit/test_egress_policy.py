"""Decisions on the connections of runs."""

from __future__ import annotations

import ipaddress

import pytest

from processors.browser.egress.policy import (
    Denied,
    Destination,
    EgressPolicy,
    Endpoint,
    Layer,
    Permitted,
    endpoints,
)
from qa_queue.cases.hosts import HostList, address_of, canonical_host

OWN = endpoints(
    (
        "redis://:pass@127.0.0.1:6379/0",
        "http://127.0.0.1:8600",
        "https://own.supabase.co",
        "unix:///run/redis.sock",
        "sentinel.example:26379",
    )
)
MACHINE = frozenset({ipaddress.ip_address("192.168.7.5")})
POLICY = EgressPolicy(own=OWN, machine=MACHINE)


def decide(policy: EgressPolicy, place: str, *addresses: str, scheme: str = "http") -> Permitted | Denied:
    """Decide on `HOST:PORT`, written as anybody may write it, with these addresses of a name."""
    host, _, port = place.rpartition(":")
    canonical = canonical_host(host.strip("[]"))
    assert canonical is not None
    found = [address_of(canonical)] if address_of(canonical) else [address_of(one) for one in addresses]
    return policy.decide(
        Destination(scheme=scheme, host=canonical, port=int(port)), [one for one in found if one is not None]
    )


def rule(policy: EgressPolicy, place: str, *addresses: str, scheme: str = "http") -> str | None:
    """The rule that denies a connection; None if it may be made."""
    decision = decide(policy, place, *addresses, scheme=scheme)
    return decision.rule if isinstance(decision, Denied) else None


@pytest.mark.parametrize(
    ("place", "addresses"),
    [
        ("127.0.0.1:6379", ()),
        ("127.1.2.3:6379", ()),
        ("2130706433:6379", ()),
        ("0x7f.1:8600", ()),
        ("0177.0.0.1:8600", ()),
        ("%31%32%37.0.0.1:8600", ()),
        ("\uff11\uff12\uff17.0.0.1:8600", ()),
        ("0.0.0.0:6379", ()),
        ("[::]:6379", ()),
        ("[::1]:8600", ()),
        ("[::ffff:127.0.0.1]:8600", ()),
        ("[::7f00:1]:8600", ()),
        ("[64:ff9b::7f00:1]:8600", ()),
        ("[64:ff9b:1:7f00:0:100::]:8600", ()),
        ("[64:ff9b:1::7f00:1]:8600", ()),
        ("[::ffff:0:7f00:1]:8600", ()),
        ("[2001:db8::5efe:7f00:1]:8600", ()),
        ("[2001:db8::200:5efe:7f00:1]:8600", ()),
        ("[::1%1]:8600", ()),
        ("[::%lo]:8600", ()),
        ("named.example:8600", ("::%1",)),
        ("[2002:7f00:1::]:8600", ()),
        ("192.168.7.5:8600", ()),
        ("LOCALHOST.:8600", ("127.0.0.1",)),
        ("evil.example:6379", ("127.0.0.1",)),
        ("own.supabase.co:443", ("104.18.0.1",)),
        ("sentinel.example:26379", ()),
    ],
)
def test_the_service_itself_is_denied(place: str, addresses: tuple[str, ...]) -> None:
    """Under every name, form of address and interface of this machine."""
    assert rule(POLICY, place, *addresses) == "own"


@pytest.mark.parametrize(
    ("place", "addresses"),
    [
        ("169.254.169.254:80", ()),
        ("2852039166:80", ()),
        ("169.254.43518:80", ()),
        ("[::ffff:169.254.169.254]:80", ()),
        ("[fe80::1]:80", ()),
        ("[fe80::1%25eth0]:80", ()),
        ("[64:ff9b:1:a9fe:a9:fe00::]:80", ()),
        ("[::ffff:0:a9fe:a9fe]:80", ()),
        ("linked.example:80", ("fe80::1%eth0",)),
        ("[fd00:ec2::254]:80", ()),
        ("100.100.100.200:80", ()),
        ("224.0.0.251:5353", ()),
        ("255.255.255.255:80", ()),
        ("metadata.google.internal:80", ("203.0.113.7",)),
        ("evil.example:80", ("169.254.169.254",)),
    ],
)
def test_metadata_and_link_local_addresses_are_denied(place: str, addresses: tuple[str, ...]) -> None:
    """Whatever the lists allow."""
    allowing = Layer(rule="operator", allow_name="the list", allow=HostList.parse("*"))
    assert rule(EgressPolicy(layers=(allowing,)), place, *addresses) == "metadata"


@pytest.mark.parametrize(
    "place",
    [
        "127.0.0.1:8080",
        "192.168.7.5:80",
        "10.1.2.3:80",
        "shop.example:443",
        "a.supabase.co:443",
        "[2001:db8::1]:80",
    ],
)
def test_other_addresses_are_permitted(place: str) -> None:
    """Sites on other ports of this machine are tested as any."""
    assert rule(POLICY, place, "203.0.113.7") is None


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.31.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "::1",
        "fd12::1",
        "::ffff:10.0.0.1",
        "0.0.0.0",
    ],
)
def test_private_addresses_may_be_denied(address: str) -> None:
    """By a setting; a name with a private and a public address is reached at the public one."""
    policy = EgressPolicy(private=False)
    assert rule(policy, "intranet.example:80", address) == "private"
    assert decide(policy, "two.example:80", address, "203.0.113.7") == Permitted(
        (ipaddress.ip_address("203.0.113.7"),)
    )


OPERATOR = Layer(
    rule="operator",
    allow_name="ALLOW",
    deny_name="DENY",
    allow=HostList.parse("*.example, https://secure.test, 10.0.0.0/8, 127.0.0.1:8080, *:8443", networks=True),
    deny=HostList.parse("bad.example, 10.9.0.0/16, 127.0.0.2, *:25", networks=True),
)
CASE = Layer(rule="case", allow_name="the case", allow=HostList.parse("shop.example, pay.example:443"))


@pytest.mark.parametrize(
    ("place", "scheme", "addresses", "expected"),
    [
        ("shop.example:80", "http", ("203.0.113.7",), None),
        ("bad.example:80", "http", ("203.0.113.7",), "operator"),
        ("BAD.example.:80", "http", ("203.0.113.7",), "operator"),
        ("shop.test:80", "http", ("203.0.113.7",), "operator"),
        ("secure.test:443", "https", ("203.0.113.7",), None),
        ("secure.test:80", "http", ("203.0.113.7",), "operator"),
        ("any.test:8443", "https", ("203.0.113.7",), None),
        ("inside.test:80", "http", ("10.1.2.3",), None),
        ("inside.test:80", "http", ("10.9.2.3",), "operator"),
        ("shop.example:80", "http", ("10.9.2.3",), "operator"),
        ("shop.example:80", "http", ("127.0.0.2",), "operator"),
        ("shop.example:25", "http", ("203.0.113.7",), "operator"),
        ("localhost:8080", "http", ("127.0.0.1",), None),
        ("localhost:8081", "http", ("127.0.0.1",), "operator"),
        ("2130706433:8080", "http", (), None),
    ],
)
def test_the_lists_of_one_party(place: str, scheme: str, addresses: tuple[str, ...], expected: str | None) -> None:
    """Names, ports, schemes and networks; what is denied wins, for an address under any name."""
    assert rule(EgressPolicy(layers=(OPERATOR,)), place, *addresses, scheme=scheme) == expected


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("shop.example:80", None),
        ("pay.example:443", None),
        ("pay.example:80", "case"),
        ("other.example:80", "case"),
        ("bad.example:80", "operator"),
        ("shop.test:80", "operator"),
    ],
)
def test_the_narrowest_wins(place: str, expected: str | None) -> None:
    """Every party has to allow a destination."""
    policy = EgressPolicy(layers=(OPERATOR, CASE))
    assert rule(policy, place, "203.0.113.7", scheme="https" if place.endswith("443") else "http") == expected


def test_a_denial_names_the_list() -> None:
    """The reason follows the destination in a sentence."""
    denied = decide(EgressPolicy(layers=(OPERATOR, CASE)), "other.example:80", "203.0.113.7")
    assert isinstance(denied, Denied)
    assert f"{denied.to} {denied.reason}" == "other.example:80 is not allowed by the case"
    own = decide(POLICY, "[::1]:8600")
    assert isinstance(own, Denied)
    assert f"{own.to} {own.reason}" == "[::1]:8600 is an address of the service itself"


def test_the_proxies_of_other_runs_are_denied() -> None:
    """A run uses its own proxy only."""
    policy = EgressPolicy(ports={40_001})
    assert rule(policy, "127.0.0.1:40001") == "own"
    assert rule(policy, "203.0.113.7:40001") is None


def test_endpoints_of_urls() -> None:
    """With the default ports of their schemes."""
    loopback = frozenset({ipaddress.ip_address("127.0.0.1")})
    assert OWN[:3] == (
        Endpoint(host="127.0.0.1", port=6379, addresses=loopback),
        Endpoint(host="127.0.0.1", port=8600, addresses=loopback),
        Endpoint(host="own.supabase.co", port=443),
    )
    assert OWN[3:] == (Endpoint(host="sentinel.example", port=26379),)
