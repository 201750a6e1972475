"""A plugin for plain pytest: pytest-playwright uses the Chromium of QA_SUITE_CHROMIUM, as hosts of suites do."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Generator[None, Any, Any]:
    """Set the path before the browser is launched."""
    if fixturedef.argname == "launch_browser":
        request.getfixturevalue("browser_type_launch_args")["executable_path"] = os.environ["QA_SUITE_CHROMIUM"]
    return (yield)
