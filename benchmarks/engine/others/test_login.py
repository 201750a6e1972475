"""The five steps as a test of pytest-playwright; run with the benchmark's own Python, in this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.engine.moments import one_run

RUNS = int(os.environ.get("BENCH_RUNS", "1"))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The same browser for everybody."""
    return {**browser_type_launch_args, "executable_path": Path(os.environ["BENCH_BROWSER"])}


@pytest.fixture(autouse=True)
def moment(browser: Browser) -> Iterator[None]:  # noqa: ARG001 - asked for so that it is up
    """From before the context is made, on a browser that is up, until after it is closed."""
    with one_run():
        yield


@pytest.mark.parametrize("number", range(RUNS))
def test_login(page: Page, number: int) -> None:  # noqa: ARG001 - it only repeats the test
    page.goto("/login")
    page.get_by_label("User name").fill("ann")
    page.get_by_label("Password").fill("coffee-please")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Welcome back, Ann")).to_be_visible()
