"""Secrets are masked in whatever form they leave the worker."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_queue.cases.texts import MASK, mask

LONG = "x" * 60
SECRET = 'p&ss "wörd"/<1>'


@pytest.mark.parametrize(
    "encode",
    [
        str,
        quote,
        quote_plus,
        lambda value: quote(value, safe=""),
        lambda value: quote(value, safe="").replace("%2F", "%2f").replace("%C3%B6", "%c3%b6"),
        lambda value: urlencode({"q": value}),
        json.dumps,
        lambda value: json.dumps(value, ensure_ascii=False),
        html.escape,
    ],
)
def test_encoded_forms_are_masked(encode: Callable[[str], str]):
    """URLs, JSON and HTML spell the same value differently."""
    text = f"before {encode(SECRET)} after"
    masked = mask(text, {"PASSWORD": SECRET})

    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert MASK in masked
    assert not any(part in masked for part in ("p&ss", "p%26ss", "rd", "1"))


def test_the_longest_secret_is_masked_first():
    """No part of a longer one is left over."""
    assert mask("abcdef abc", {"A": "abc", "B": "abcdef"}) == "*** ***"


@pytest.mark.parametrize(
    ("text", "masked"),
    [("code 42 is 42.", "code *** is ***."), ("step 142 of 420", "step 142 of 420"), ("x=42", "x=***")],
)
def test_short_secrets_are_masked_as_words(text: str, masked: str):
    """To mask every digit of a report would spoil it and hide nothing."""
    assert mask(text, {"PIN": "42"}) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"{LONG}t0p-s3cr", f"{LONG}***"),
        ("log in as t0p-s3cr", "log in as t0p-s3cr"),
        ("found 't0p-s3c…', expected 't0p-s3…'", "found '***…', expected '***…'"),
        (f"{LONG}t0p-s3t0p-s3", f"{LONG}t0p-s3***"),
        (f"{LONG}t0p-s", f"{LONG}t0p-s"),
        ("t0p-s3x…", "t0p-s3x…"),
        (f"{LONG}q=x%26yz%2", f"{LONG}q=***"),
    ],
)
def test_the_beginning_of_a_secret_is_masked_where_a_text_was_cut_off(text: str, masked: str):
    """At the end of a long one and before an ellipsis, in any form; not a few characters, by coincidence."""
    assert mask(text, {"KEY": "t0p-s3cret", "OTHER": "x&yz/wörd"}) == masked


def test_many_places_where_a_text_was_cut_off_take_no_time():
    """A page may write as many as it likes."""
    text = "t0p-s3…" * 50_000
    assert mask(text, {"KEY": "t0p-s3cret"}).startswith("***…" * 1_000)


@pytest.mark.parametrize("secrets", [{}, {"A": ""}, {"A": "  "}])
def test_nothing_to_mask(secrets: dict[str, str]):
    """An empty secret is in every text."""
    assert mask("a  b", secrets) == "a  b"


@given(st.text(max_size=30), st.text(min_size=3, max_size=10), st.text(max_size=30))
def test_no_long_secret_survives(before: str, secret: str, after: str):
    """Whatever its characters and whatever stands around it."""
    masked = mask(before + secret + after, {"A": secret})

    if secret.strip() and secret not in MASK:
        assert secret not in masked.replace(MASK, "\0")
