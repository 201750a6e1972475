"""The start page with its search."""

from __future__ import annotations

from playwright.sync_api import Locator, Page


class Catalogue:
    def __init__(self, page: Page) -> None:
        self.page = page

    def search(self, words: str) -> None:
        self.page.goto("/")
        field = self.page.get_by_label("Search the shop")
        field.fill(words)
        field.press("Enter")

    @property
    def count(self) -> Locator:
        return self.page.get_by_test_id("result-count")
