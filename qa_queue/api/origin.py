"""Where a request comes from: this machine, our own pages, or another site's. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_PASSED_ON = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"})


def is_local(client: str, headers: Mapping[str, str]) -> bool:
    """Whether somebody on this machine asks by a loopback name, and no proxy passed the request on."""
    try:
        loopback = ip_address(client).is_loopback
    except ValueError:
        return False
    return (
        loopback and host_name(headers.get("host", "")) in LOOPBACK_NAMES and not set(headers.keys()) & _PASSED_ON
    )


def host_name(host: str) -> str:
    """The name in a Host header, without its port."""
    return host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]


def is_cross_site(headers: Mapping[str, str]) -> bool:
    """Whether another site's page made a browser send this.

    `Sec-Fetch-Site` says so where a browser sends it; else `Origin`, which every browser sends with a POST. A
    request with neither comes from a program that is no browser.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


def local_path(path: str) -> str:
    """A path of our own to go on to after a login; `/` for anything that leads elsewhere."""
    parts = urlsplit(path)
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc and path.isprintable()
    return path if safe else "/"
