"""Serving an ASGI application on loopback from a thread, as users reach it, and clients of it."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
import uvicorn

from tests.support.poll import wait_until


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The URL of this application while the block runs."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), timeout=20)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


def client(url: str, **options: Any) -> httpx.Client:
    """Return a client of the service at this URL."""
    return httpx.Client(base_url=url, verify=_certificates(), **options)


@cache
def _certificates() -> ssl.SSLContext:
    """Read the machine's certificates, which takes longer than most tests, once."""
    return ssl.create_default_context()


def own_host(url: str, name: str = "0123456789abcdef0123.qa-queue.localhost") -> dict[str, str]:
    """The Host header of a browser that came by a login link to a service at this URL."""
    return {"Host": f"{name}:{urlsplit(url).port}"}
