"""Address patterns that no run may open."""

from __future__ import annotations

import pytest

from processors.browser.egress.schemes import canonical_url, denied_addresses, is_refused

OWN = (
    "redis://:pass@127.0.0.1:6379/0",
    "http://127.0.0.1:8600",
    "https://own.supabase.co",
    "unix:///run/redis.sock",
)


def denied(url: str) -> bool:
    """Compare as the DevTools protocol does: `*` stands for any text."""
    return is_refused(url, denied_addresses(OWN))


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://127.0.0.1:6379/",
        "http://qa:pass@127.0.0.1:8600/rq/",
        "http://localhost:8600/api/v1/runs",
        "http://x.qa-queue.localhost:8600/",
        "http://127.1.2.3:8600/",
        "http://[::1]:6379/",
        "http://[::ffff:7f00:1]:8600/",
        "https://own.supabase.co/rest/v1/runs",
    ],
)
def test_addresses_of_the_service_and_of_metadata_are_denied(url: str) -> None:
    """Under every name of loopback, with and without a login."""
    assert denied(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "http://shop.example/", "https://a.supabase.co/"])
def test_other_addresses_are_not(url: str) -> None:
    """Sites on other ports of this machine are tested as any."""
    assert not denied(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://0x7f.1:8600/",
        "http://2130706433:6379",
        "http://127.1:8600/x",
        "http://0177.0.0.1:8600/",
        "http://%31%32%37.0.0.1:8600/",
        "http://\uff11\uff12\uff17.0.0.1:8600/",
        "http://LOCALHOST.:8600/",
        "http://[::ffff:127.0.0.1]:8600/",
        "http://[0:0:0:0:0:0:0:1]:6379/",
        "http://127.0.0.1:8600\\@shop.example/",
        "http:\\\\127.0.0.1:8600/",
        "ht\ntp://127.0.0.1:8600/",
        "http://qa:pass@127.0.0.1:8600/",
        "http://169.254.43518/latest",
    ],
)
def test_other_ways_to_write_a_denied_address_are_denied_too(url: str) -> None:
    """The driver would read them as the same address."""
    found = canonical_url(url)
    assert found is not None
    assert denied(found)


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("http://shop.example", "http://shop.example/"),
        ("HTTPS://Shop.Example:443/A?b=1", "https://shop.example/A?b=1"),
        ("http://b\u00fccher.example:8080/", "http://xn--bcher-kva.example:8080/"),
        ("http://shop.example\\@127.0.0.1:8600/", "http://shop.example/@127.0.0.1:8600/"),
        ("ftp://shop.example/", None),
        ("http://", None),
        ("http://a b/", None),
        ("http://[::1/", None),
        ("http://shop.example:99999/", None),
        ("about:blank", None),
    ],
)
def test_a_url_has_one_form(url: str, canonical: str | None) -> None:
    """It is what a browser would open; anything else has none."""
    assert canonical_url(url) == canonical
