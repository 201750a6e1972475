"""Moving a case to another host."""

from __future__ import annotations

import pytest

from qa_queue.cases.actions import Expect
from qa_queue.cases.model import Case
from qa_queue.cases.rebase import first_origin, rebase
from qa_queue.errors import InputError
from tests.unit.cases.support import case, converted


def urls(made: Case) -> list[str]:
    """Every URL in the steps."""
    holders = [step.args.check if isinstance(step.args, Expect) else step.args for step in made.steps]
    return [holder.url for holder in holders if getattr(holder, "url", None) is not None]


def test_urls_of_the_own_site_become_relative():
    """Those of the base URL and of the first page opened; others stay."""
    made = case(
        {"goto": "https://shop.example/login?next=/cart#top"},
        {"goto": "https://shop.example"},
        {"goto": "https://shop.example?a=1"},
        {"goto": "https://shop.example.org/x"},
        {"goto": "https://pay.example/x"},
        {"goto": "/cart"},
        {"wait_for": {"url": "https://shop.example/home"}},
        {"expect": {"url": "https://old.example/home"}},
        {"expect": {"url": "**/home"}},
        base_url="https://old.example/",
    )
    moved = rebase(made, "http://127.0.0.1:8080")

    assert moved.base_url == "http://127.0.0.1:8080"
    assert urls(moved) == [
        "/login?next=/cart#top",
        "/",
        "/?a=1",
        "https://shop.example.org/x",
        "https://pay.example/x",
        "/cart",
        "/home",
        "/home",
        "**/home",
    ]


@pytest.mark.parametrize(
    ("base_url", "root", "cart"),
    [
        ("http://127.0.0.1:8080", "/", "/cart"),
        ("http://127.0.0.1:8080/", "/", "/cart"),
        ("http://127.0.0.1:8080/shop", "/shop", "/shop/cart"),
        ("http://127.0.0.1:8080/shop/", "/shop/", "/shop/cart"),
        ("http://127.0.0.1:8080/coffee.html?x=1", "/coffee.html?x=1", "/cart"),
        ("http://127.0.0.1/srv/coffee/index.html", "/srv/coffee/index.html", "/srv/coffee/cart"),
    ],
)
def test_the_path_of_the_base_url_goes_first(base_url: str, root: str, cart: str):
    """A site may live in a folder, or be one page that stands for it."""
    made = case({"goto": "https://shop.example/"}, {"goto": "/cart"})

    assert urls(rebase(made, base_url)) == [root, cart]


def test_paths_below_an_own_base_path_stay():
    """Such a case already names its folder."""
    made = case({"goto": "/shop/cart"}, base_url="http://shop.example/shop/")

    assert urls(rebase(made, "http://other.example/shop/")) == ["/shop/cart"]


def test_a_base_url_with_a_reference_is_replaced():
    """The command line wins over the environment."""
    made = case({"goto": "/login"}, base_url="${env.BASE_URL:-http://127.0.0.1:1}")

    assert rebase(made, "http://b.example").base_url == "http://b.example"
    assert urls(rebase(made, "http://b.example")) == ["/login"]
    assert urls(rebase(made, "http://b.example/shop")) == ["/shop/login"]


def test_a_recording_is_moved():
    """It is relative from the start, so that moving it changes its base URL alone."""
    made = converted({"type": "navigate", "url": "https://shop.example/cart"}).case

    assert (made.base_url, urls(made)) == ("https://shop.example", ["/", "/cart"])
    assert rebase(made, "http://127.0.0.1:8080").steps == made.steps


@pytest.mark.parametrize(
    "base_url", ["", "localhost:8080", "/shop", "ftp://x", "http://", "http://[", "file:///srv/coffee/index.html"]
)
def test_half_a_url_is_refused(base_url: str):
    """It would be found out only in the browser."""
    with pytest.raises(InputError, match="is not a whole URL"):
        rebase(case({"goto": "/"}), base_url)


def test_the_first_origin_is_that_of_the_first_absolute_goto():
    """Relative ones and other actions say nothing."""
    made = case(
        {"goto": "/"}, {"click": "#a"}, {"goto": "https://a.example:8443/x"}, {"goto": "https://b.example/"}
    )

    assert first_origin(made.steps) == "https://a.example:8443"
    assert first_origin(case({"goto": "/"}).steps) is None
