"""The example shop's pure parts: finding products, checking orders, reading forms, filling templates."""

import pytest

from examples.shop import catalogue, orders
from examples.shop.markup import Html, money, render, when
from examples.shop.session import Sessions
from examples.shop.web import FormError, UploadedFile, parse_form

GOOD_ORDER = {
    "name": "Ann Example",
    "email": "ann@example.org",
    "address": "1 Bean Street",
    "postcode": "12345",
    "delivery": "pickup",
    "payment": "invoice",
    "terms": "on",
}


def test_every_product_is_in_a_category_and_has_a_slug_of_its_own() -> None:
    assert len(catalogue.BY_SLUG) == len(catalogue.PRODUCTS) >= 12
    assert {p.category for p in catalogue.PRODUCTS} == set(catalogue.CATEGORIES)


@pytest.mark.parametrize(
    ("query", "names"),
    [("green TEA", ["Sencha"]), ("mug", ["Stoneware Mug"]), ("expresso", []), ("  ", [])],
)
def test_search_wants_every_word(query: str, names: list[str]) -> None:
    assert [p.name for p in catalogue.search(query)] == names


def test_suggestions_start_a_word_of_the_name() -> None:
    assert [p.name for p in catalogue.starting_with("hui")] == ["Colombia Huila"]
    assert catalogue.starting_with("") == ()


def test_a_misspelt_query_is_answered_with_a_word_of_the_catalogue() -> None:
    assert catalogue.similar("expresso") == ("Espresso",)


def test_a_good_order_has_no_problems() -> None:
    assert orders.problems(GOOD_ORDER) == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("email", "ann at example"),
        ("email", "ann@example"),
        ("address", "x"),
        ("postcode", "12a45"),
        ("postcode", "\u0661\u0662\u0663\u0664"),
        ("delivery", "drone"),
        ("payment", ""),
        ("terms", ""),
    ],
)
def test_each_field_of_an_order_is_checked(field: str, value: str) -> None:
    assert list(orders.problems(GOOD_ORDER | {field: value})) == [field]


def test_a_multipart_form_keeps_the_exact_size_of_its_file() -> None:
    """Line ends and bytes that look like text pass uncounted and unchanged."""
    content = bytes(range(256)) + b"\r\n\n\r--cut--\r\n"
    body = b'--cut\r\nContent-Disposition: form-data; name="who"\r\n\r\nAnn\r\n'
    body = body.replace(b"--cut", b"--B0")
    body += b'--B0\r\nContent-Disposition: form-data; name="receipt"; filename="caf\xc3\xa9.png"\r\n\r\n'
    form = parse_form("multipart/form-data; boundary=B0", body + content + b"\r\n--B0--\r\n")
    assert form.fields == {"who": "Ann"}
    assert form.files == {"receipt": UploadedFile("café.png", len(content))}


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/form-data", "application/json"])
def test_other_bodies_are_refused(content_type: str) -> None:
    with pytest.raises(FormError, match="has to be urlencoded"):
        parse_form(content_type, b"{}")


def test_templates_escape_what_is_not_html_yet() -> None:
    assert "&lt;b&gt;" in render("notice.html", text="<b>")
    assert "<b>" in render("notice.html", text=Html("<b>"))
    assert when(None, "notice.html", text="gone") == ""


def test_money_is_written_with_two_places() -> None:
    assert [money(0), money(5), money(1250)] == ["€0.00", "€0.05", "€12.50"]


def test_sessions_are_apart_and_the_longest_unused_one_goes_first() -> None:
    sessions = Sessions(limit=2)
    first, session = sessions.open(None)
    second, other = sessions.open("made up")
    assert session is not other
    assert second != "made up"
    assert sessions.open(first)[1] is session
    sessions.open(None)
    assert sessions.open(second)[1] is not other
