"""Fixtures of the whole suite. The shop's address is pytest-base-url's: `--base-url http://127.0.0.1:8080`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pages.catalogue import Catalogue
from pages.login import LoginPage
from playwright.sync_api import APIRequestContext, Page, Playwright


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--state", default="state", help="Folder in which the flaky test notes that it has run.")


@pytest.fixture
def login_page(page: Page) -> LoginPage:
    return LoginPage(page)


@pytest.fixture
def catalogue(page: Page) -> Catalogue:
    return Catalogue(page)


@pytest.fixture(scope="session")
def api(playwright: Playwright, base_url: str) -> Iterator[APIRequestContext]:
    context = playwright.request.new_context(base_url=base_url)
    yield context
    context.dispose()


@pytest.fixture
def state(request: pytest.FixtureRequest) -> Path:
    folder = Path(request.config.getoption("--state"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
