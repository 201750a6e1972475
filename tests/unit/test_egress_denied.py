"""Address patterns that no run may open."""

from __future__ import annotations

import re

import pytest

from processors.browser.egress.schemes import denied_addresses

OWN = (
    "redis://:pass@127.0.0.1:6379/0",
    "http://127.0.0.1:8600",
    "https://own.supabase.co",
    "unix:///run/redis.sock",
)


def denied(url: str) -> bool:
    """Compare as the DevTools protocol does: `*` stands for any text."""
    patterns = (re.escape(pattern).replace(r"\*", ".*") for pattern in denied_addresses(OWN))
    return any(re.fullmatch(pattern, url) for pattern in patterns)


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
