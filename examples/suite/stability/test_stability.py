"""Tests that end otherwise than by passing or failing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect


def test_fails_at_the_first_try(state: Path) -> None:
    seen = state / "seen"
    if not seen.exists():
        seen.touch()
        pytest.fail("the first try fails")


def test_fails_with_a_picture(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Evening Bean", timeout=500)


@pytest.fixture
def closed_till() -> None:
    raise RuntimeError("the till is closed")


def test_needs_a_broken_fixture(closed_till: None) -> None:
    pass


@pytest.fixture
def bad_cleanup() -> Iterator[None]:
    yield
    raise RuntimeError("the cleanup failed")


def test_passes_but_its_cleanup_fails(bad_cleanup: None) -> None:
    pass


def test_ends_its_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_passes_after_all() -> None:
    pass
