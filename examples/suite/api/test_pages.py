"""The shop over HTTP, without a browser. The tests of this module build on each other's product."""

from __future__ import annotations

import pytest
from playwright.sync_api import APIRequestContext


@pytest.fixture(scope="module")
def seen() -> list[str]:
    return []


@pytest.mark.smoke
def test_a_product_has_a_page(api: APIRequestContext, seen: list[str]) -> None:
    assert api.get("/product/sencha").ok
    seen.append("sencha")


def test_the_page_seen_before_names_the_product(api: APIRequestContext, seen: list[str]) -> None:
    assert seen == ["sencha"]
    assert "Sencha" in api.get(f"/product/{seen[0]}").text()


def test_an_unknown_product_is_not_found(api: APIRequestContext) -> None:
    assert api.get("/product/no-such-tea").status == 404
