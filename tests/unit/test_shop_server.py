"""The example shop over HTTP: limits, sessions, escaping and the flows that its cases use."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from examples.shop import Shop, serve
from examples.shop.server import MAX_BODY
from tests.unit.test_shop_pages import GOOD_ORDER

ROOT = Path(__file__).parents[2]
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str


class Visitor:
    """A browser without scripts: keeps its cookie, follows one redirect."""

    def __init__(self, shop: Shop) -> None:
        self.host = urlsplit(shop.url).netloc
        self.cookie = ""

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        connection = HTTPConnection(self.host, timeout=10)
        sent = {"Cookie": self.cookie} | {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body or None, sent)
            response = connection.getresponse()
            self.cookie = (response.headers["Set-Cookie"] or self.cookie).split(";")[0]
            return Answer(response.status, dict(response.headers), response.read().decode())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path: str, **fields: str) -> Answer:
        answer = self.request("POST", path, urlencode(fields).encode(), Content_Type=FORM)
        return self.get(answer.headers["Location"]) if answer.status == 303 else answer


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with serve(password="right") as running:
        yield running


@pytest.fixture
def visitor(shop: Shop) -> Visitor:
    return Visitor(shop)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/catalogue?category=tea", 200),
        ("/catalogue?category=wine", 404),
        ("/product/sencha", 200),
        ("/product/wine", 404),
        ("/picture/sencha.svg", 200),
        ("/static/shop.css", 200),
        ("/static/..%2fserver.py", 404),
        ("/static/../server.py", 404),
        ("/receipts", 200),
        ("/roasts", 200),
        ("/checkout", 303),
        ("/order/MB-1", 404),
        ("/cart/add", 405),
        ("/health", 200),
    ],
)
def test_paths(visitor: Visitor, path: str, status: int) -> None:
    assert visitor.get(path).status == status


def test_every_product_has_a_page_a_picture_and_reviews(visitor: Visitor) -> None:
    slugs = {part.split('"')[0] for part in visitor.get("/catalogue").text.split('href="/product/')[1:]}
    assert len(slugs) == 15
    paths = [f"/{kind}/{slug}" for slug in slugs for kind in ("product", "picture", "reviews")]
    assert {visitor.get(path).status for path in paths} == {200}


def test_head_sends_no_body(visitor: Visitor) -> None:
    answer = visitor.request("HEAD", "/")
    assert (answer.status, answer.text) == (200, "")
    assert int(answer.headers["Content-Length"]) > 1000


def test_sign_in_and_out(visitor: Visitor) -> None:
    refused = visitor.post("/login", username="ann", password="wrong")
    assert refused.status == 401
    assert "The user name or the password is wrong." in refused.text
    assert "Please sign in first." in visitor.request("GET", visitor.get("/account").headers["Location"]).text
    assert "Welcome back, Ann" in visitor.post("/login", username="Ann", password="right").text
    assert "You are signed out." in visitor.post("/logout").text
    assert visitor.get("/account").status == 303


def test_an_order_from_cart_to_confirmation(visitor: Visitor) -> None:
    visitor.post("/cart/add", slug="house-espresso", quantity="2")
    wrong = visitor.post("/checkout", **GOOD_ORDER | {"email": "no-address"})
    assert wrong.status == 422
    assert 'aria-describedby="email-error"' in wrong.text
    assert 'value="Ann Example"' in wrong.text
    confirmation = visitor.post("/checkout", **GOOD_ORDER)
    assert "Thank you, Ann Example!" in confirmation.text
    assert "€19.80" in confirmation.text
    assert "Your cart is empty" in visitor.get("/cart").text


def test_visitors_never_see_each_other(shop: Shop, visitor: Visitor) -> None:
    visitor.post("/cart/add", slug="sencha")
    other = Visitor(shop)
    assert "Your cart is empty" in other.get("/cart").text
    assert "Sencha" in visitor.get("/cart").text


@pytest.mark.parametrize("quantity", ["0", "21", "-1", "1e3", "\u0662", "x", ""])
def test_a_quantity_out_of_bounds_is_not_taken(visitor: Visitor, quantity: str) -> None:
    visitor.post("/cart/add", slug="sencha")
    changed = visitor.post("/cart/quantity", slug="sencha", quantity=quantity)
    assert "The quantity has to be a number from 1 to 20." in changed.text
    assert "€8.90" in changed.text


@pytest.mark.parametrize("path", ["/cart/add", "/cart/quantity", "/cart/remove"])
def test_a_product_that_is_not_there_is_not_found(visitor: Visitor, path: str) -> None:
    assert visitor.post(path, slug="wine").status == 404


def test_input_is_escaped_wherever_it_comes_back(visitor: Visitor) -> None:
    """A script in any field is shown as text."""
    evil = "<script>alert(1)</script>"
    visitor.post("/cart/add", slug="sencha")
    visitor.post("/api/note", note=evil)
    pages = [
        visitor.get(f"/search?{urlencode({'q': evil})}"),
        visitor.post("/cart/voucher", code=evil),
        visitor.get("/cart"),
        visitor.post("/login", username=evil, password=evil),
        visitor.post("/reviews/sencha", name=evil, rating="5", text=evil),
        visitor.post("/checkout", **GOOD_ORDER | {"name": evil}),
    ]
    assert all("&lt;script&gt;" in page.text and evil not in page.text for page in pages)
    assert "default-src 'self'" in pages[0].headers["Content-Security-Policy"]


def test_a_review_shows_in_its_frame(visitor: Visitor) -> None:
    added = visitor.post("/reviews/sencha", name="Ann", rating="4", text="Fresh")
    assert 'data-testid="review-count">3<' in added.text
    assert "A review needs a name" in visitor.post("/reviews/sencha", name="Ann", rating="9", text="Fresh").text


def test_an_upload_shows_name_and_size(visitor: Visitor) -> None:
    body = b'--B0\r\nContent-Disposition: form-data; name="receipt"; filename="a.png"\r\n\r\n' + b"x" * 2048
    headers = {"Content_Type": "multipart/form-data; boundary=B0"}
    assert visitor.request("POST", "/receipts", body + b"\r\n--B0--\r\n", **headers).status == 303
    assert "We received a.png (2.0 KB)." in visitor.get("/receipts").text


def test_the_newsletter_takes_an_address_only(visitor: Visitor) -> None:
    assert visitor.post("/api/newsletter", email="ann").status == 422
    assert "ann@example.org" in json.loads(visitor.post("/api/newsletter", email="ann@example.org").text)["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Length": str(MAX_BODY + 1), "Content_Type": FORM}, 413),
        ({"Content_Length": "many", "Content_Type": FORM}, 411),
        ({"Content_Type": "application/json"}, 400),
        ({"Content_Type": FORM, "Origin": "http://elsewhere.example"}, 403),
    ],
)
def test_bodies_beyond_the_limits_are_refused(visitor: Visitor, headers: dict[str, str], status: int) -> None:
    """Too large, of no length, of another type, from another site."""
    answer = visitor.request("POST", "/cart/voucher", b"code=WELCOME10", **headers)
    assert answer.status == status
    assert answer.headers["Connection"] == "close"


def test_a_held_back_answer_does_not_outlive_the_shop() -> None:
    """Stopping releases a slow answer at once, and stopping twice is harmless."""
    shop = serve()
    connection = HTTPConnection(
        urlsplit(shop.url).netloc, timeout=5
    )  # the answer is held back for longer than this
    connection.request("GET", "/api/roasts?ms=15000")
    shop.server.stopping.set()
    assert connection.getresponse().status == 200
    connection.close()
    shop.stop()
    shop.stop()


def test_the_program_prints_its_url_and_ends_on_terminate() -> None:
    command = [sys.executable, "-m", "examples.shop", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        answer = HTTPConnection(urlsplit(url).netloc, timeout=10)
        answer.request("GET", "/health")
        assert answer.getresponse().read() == b"ok"
        answer.close()
        process.terminate()
        assert process.wait(timeout=10) == 0


def test_a_taken_port_is_named(shop: Shop) -> None:
    port = str(urlsplit(shop.url).port)
    command = [sys.executable, "-m", "examples.shop", "--port", port]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 3
    assert f"127.0.0.1:{port}" in ended.stderr
