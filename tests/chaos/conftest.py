"""`make faults` plants bugs in the service too, which takes some minutes; plain pytest does not."""

from __future__ import annotations

import os

import pytest

from tests.conftest import file_of

PLANTED = "tests/chaos/test_planted.py"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect them, unless FAULTS is set."""
    if os.environ.get("FAULTS"):
        return
    long = {item for item in items if file_of(item) == PLANTED}
    config.hook.pytest_deselected(items=list(long))
    items[:] = [item for item in items if item not in long]
