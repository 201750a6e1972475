"""The servers of the examples: what they report on standard error."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http.server import ThreadingHTTPServer

import pytest

from examples.reference.server import Data, Handler, Server
from examples.sites.server import SiteServer

ADDRESS = ("127.0.0.1", 0)
SERVERS = [
    pytest.param(lambda: Server(ADDRESS, partial(Handler, data=Data())), id="reference"),
    pytest.param(lambda: SiteServer(ADDRESS), id="sites"),
]


def report_of(make: Callable[[], ThreadingHTTPServer], error: Exception) -> None:
    """Let a new server handle an error of a connection."""

    def fail() -> None:
        raise error

    with make() as server:
        try:
            fail()
        except (OSError, ValueError):
            server.handle_error(None, ("127.0.0.1", 40_000))


@pytest.mark.parametrize("error", [BrokenPipeError(), ConnectionResetError()])
@pytest.mark.parametrize("make", SERVERS)
def test_a_browser_that_closes_its_connection_is_not_reported(
    make: Callable[[], ThreadingHTTPServer], error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    report_of(make, error)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("make", SERVERS)
def test_an_error_of_the_server_is_reported(
    make: Callable[[], ThreadingHTTPServer], capsys: pytest.CaptureFixture[str]
) -> None:
    report_of(make, ValueError("a fault of a handler"))
    assert "a fault of a handler" in capsys.readouterr().err
