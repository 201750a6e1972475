"""Protection of rq-dashboard: its login, and the requests that it accepts. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any
from urllib.parse import urlsplit

_REGISTRIES = frozenset({"queued", "scheduled", "deferred", "started", "finished", "failed", "canceled"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_CHANGING = frozenset({"rq_dashboard.requeue_all"})  # changes queues, and takes GET as well as POST
_PAGE = re.compile(r"[1-9][0-9]{0,4}")
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,200}")

HEADERS: Mapping[str, str] = {
    # The dashboard's own pages need inline scripts and `new Function`; whatever else got in can reach no one.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}


@dataclass(frozen=True, kw_only=True)
class Login:
    """The user and password that are asked for."""

    user: str
    password: str

    def fits(self, user: str | None, password: str | None) -> bool:
        """Return whether these are they, in a time that tells nothing."""
        right_user = compare_digest((user or "").encode(), self.user.encode())
        return compare_digest((password or "").encode(), self.password.encode()) and right_user


def refusal(
    *,
    method: str,
    endpoint: str | None,
    arguments: Mapping[str, Any],
    headers: Mapping[str, str],
    host: str,
    servers: int = 1,
) -> tuple[int, str] | None:
    """Return why a request is refused, as status and reason; None when it may pass.

    What changes something is taken only from the dashboard's own scripts: a browser lets no other site set
    `X-Requested-With` without asking. Names come from the path and end in the page, so they are names or nothing.
    """
    if not all(_plausible(name, value, servers) for name, value in arguments.items()):
        return 404, "There is no such page."
    changing = method not in SAFE_METHODS or endpoint in _CHANGING
    if not changing:
        return None
    if method != "POST":
        return 405, "This changes queues: it takes POST."
    origin = headers.get("Origin")
    if headers.get("X-Requested-With") != "XMLHttpRequest" or (origin and urlsplit(origin).netloc != host):
        return 403, "Changes are taken from the dashboard's own pages only."
    return None


def _plausible(name: str, value: Any, servers: int) -> bool:
    match name:
        case "queue_name" | "job_id":
            return value is None or _NAME.fullmatch(value) is not None
        case "registry_name":
            return str(value) in _REGISTRIES
        case "instance_number":
            return str(value) in map(str, range(servers))
        case "order":
            return value in ("asc", "dsc")
        case "per_page" | "page":
            return _PAGE.fullmatch(str(value)) is not None
        case _:
            return True
