"""Where requests come from, and where logins lead to."""

from __future__ import annotations

import pytest

from qa_queue.api.auth import host_name, is_cross_site, is_local, local_path


@pytest.mark.parametrize(
    ("client", "headers", "local"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:8600"}, True),
        ("::1", {"host": "[::1]:8600"}, True),
        ("127.0.0.1", {"host": "localhost"}, True),
        ("127.0.0.1", {"host": "abc.qa-queue.localhost:8600"}, True),
        ("127.0.0.1", {"host": "qa-queue.localhost.evil.example"}, False),
        ("127.0.0.1", {"host": "evilqa-queue.localhost"}, False),
        ("127.0.0.1", {"host": "qa.example"}, False),
        ("127.0.0.1", {"host": "127.0.0.1", "x-forwarded-for": "10.0.0.9"}, False),
        ("127.0.0.1", {"host": "127.0.0.1", "forwarded": "for=10.0.0.9"}, False),
        ("10.0.0.9", {"host": "127.0.0.1"}, False),
        ("", {"host": "127.0.0.1"}, False),
        ("127.0.0.1", {}, False),
    ],
)
def test_local_is_who_asks_on_this_machine_itself(client: str, headers: dict[str, str], local: bool) -> None:
    """Not what a proxy passes on, and not by another name."""
    assert is_local(client, headers) is local


@pytest.mark.parametrize(
    ("headers", "cross"),
    [
        ({"host": "h:1"}, False),
        ({"host": "h:1", "origin": "http://h:1"}, False),
        ({"host": "h:1", "origin": "http://h:2"}, True),
        ({"host": "h:1", "origin": "null"}, True),
        ({"host": "h:1", "sec-fetch-site": "same-origin", "origin": "http://h:1"}, False),
        ({"host": "h:1", "sec-fetch-site": "none"}, False),
        ({"host": "h:1", "sec-fetch-site": "same-site", "origin": "http://h:1"}, True),
        ({"host": "h:1", "sec-fetch-site": "cross-site"}, True),
    ],
)
def test_another_sites_page_is_known_by_what_browsers_say(headers: dict[str, str], cross: bool) -> None:
    """A program that is not a browser sends no such header."""
    assert is_cross_site(headers) is cross


@pytest.mark.parametrize(("host", "name"), [("a:1", "a"), ("a", "a"), ("[::1]:1", "[::1]"), ("", ""), ("A:1", "a")])
def test_the_port_is_not_a_part_of_the_name(host: str, name: str) -> None:
    """In brackets, colons are."""
    assert host_name(host) == name


@pytest.mark.parametrize("path", ["//evil", "/\\evil", "http://evil", "evil", "", "/a\nb"])
def test_a_login_leads_to_our_own_pages(path: str) -> None:
    """Anything else leads to the first page."""
    assert local_path(path) == "/"
    assert local_path("/runs/x?a=1") == "/runs/x?a=1"
