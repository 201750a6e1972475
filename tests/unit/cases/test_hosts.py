"""Lists of hosts."""

from __future__ import annotations

import pytest

from qa_queue.cases.hosts import ANY_HOST, HostList
from qa_queue.cases.urls import document_url


@pytest.mark.parametrize(
    ("text", "url", "matches"),
    [
        ("shop.example", "https://shop.example/login", True),
        ("shop.example", "http://shop.example:8443/", True),
        ("SHOP.example", "http://shop.example/", True),
        ("shop.example", "http://www.shop.example/", False),
        ("shop.example", "http://shop.example.evil.example/", False),
        ("shop.example", "http://evil.example/shop.example", False),
        ("shop.example", "http://shop.example@evil.example/", False),
        ("shop.example", "http://shop.example./", False),
        ("*.shop.example", "http://www.shop.example/", True),
        ("*.shop.example", "http://a.b.shop.example/", True),
        ("*.shop.example", "http://shop.example/", False),
        ("*.shop.example", "http://evilshop.example/", False),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/x", True),
        ("127.0.0.1:8080", "http://127.0.0.1:8081/x", False),
        ("shop.example:443", "https://shop.example/", True),
        ("shop.example:443", "http://shop.example/", False),
        ("https://shop.example", "https://shop.example/", True),
        ("https://shop.example", "http://shop.example/", False),
        ("[::1]:80", "http://[::1]/", True),
        ("a.example, b.example", "http://b.example/", True),
        ("bücher.example", "http://xn--bcher-kva.example/", True),
        ("*", "http://anything.example:1/", True),
        ("", "http://shop.example/", False),
        ("*", "", False),
        ("*", "data:text/html,x", False),
        ("*", "blob:http://shop.example/1", False),
        ("*", "http://[", False),
    ],
)
def test_a_host_is_on_a_list_or_not(text: str, url: str, matches: bool) -> None:
    """By its whole name, and by port and scheme where the entry has them."""
    assert HostList.parse(text).match_url(url) is matches


@pytest.mark.parametrize("text", ["http://", "a/b", "a b:x", "ftp://a", "user@a", "a.*.b", "[::", "a:99999", "a?x"])
def test_what_is_not_a_host_is_refused(text: str) -> None:
    """With the entry and how to write it."""
    with pytest.raises(ValueError, match="is not a host"):
        HostList.parse(f"shop.example, {text}")


def test_an_empty_frame_belongs_to_the_one_around_it() -> None:
    """A document that a script wrote has the origin of that script."""
    assert document_url(["about:blank", "", "about:srcdoc", "http://a/", "http://b/"]) == "http://a/"
    assert document_url(["about:blank"]) == ""
    assert not ANY_HOST.match_url(document_url(["about:blank"]))
