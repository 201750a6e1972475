"""The trace of a run: its id, and the hosts that get it."""

from __future__ import annotations

import pytest

from processors.browser.trace_context import TraceContext, trace_id_of


def test_the_trace_of_a_run_is_its_id() -> None:
    """So that one leads to the other; an id that is not a UUID has a digest."""
    assert trace_id_of("4bf92f35-77b3-4da6-a3ce-929d0e0e4736") == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert len(trace_id_of("nightly run")) == 32
    assert trace_id_of("nightly run") != trace_id_of("nightly run 2")


@pytest.mark.parametrize(
    ("url", "covered"),
    [
        ("http://shop.example/", True),
        ("https://shop.example:8443/x?y#z", True),
        ("https://API.Shop.example", True),
        ("https://shop.example./", True),
        ("https://notshop.example/", False),
        ("https://shop.example.evil.test/", False),
        ("https://evil.test/?shop.example/", False),
        ("https://evil.test/@shop.example/", False),
        ("https://shop.example@evil.test/", False),
        ("https://example/", False),
        ("data:text/html,shop.example", False),
        ("https://[bad/", False),
    ],
)
def test_the_site_and_the_hosts_below_it_get_the_trace(url: str, covered: bool) -> None:
    """And no host that only looks like them."""
    context = TraceContext("a" * 32, "https://shop.example/start")
    assert context.covers(url) is covered
    assert bool(context.headers(url)) is covered
    if not covered:
        assert context._pattern.match(url) is None


@pytest.mark.parametrize("site", ["http://127.0.0.1:8080/", "http://[::1]:8080/", "http://xn--bcher-kva.example/"])
def test_a_site_may_be_an_address(site: str) -> None:
    """Its requests match what the browser is asked to hold up."""
    context = TraceContext("a" * 32, site)
    assert context.covers(f"{site}x")
    assert context._pattern.match(f"{site}x")


def test_each_step_is_a_span() -> None:
    """Of the same trace."""
    context = TraceContext("a" * 32, "http://shop.example")
    first = context.headers("http://shop.example/")["traceparent"]
    context.begin_step()
    second = context.headers("http://shop.example/")["traceparent"]
    assert first != second
    assert first.split("-")[:2] == second.split("-")[:2] == ["00", "a" * 32]
    assert second.split("-")[2] in context.note
