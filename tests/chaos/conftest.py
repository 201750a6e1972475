"""`make faults` plants bugs in the service too, which takes some minutes; plain pytest does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PLANTED = Path(__file__).parent / "test_planted.py"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect them, unless FAULTS is set."""
    if os.environ.get("FAULTS"):
        return
    long = [item for item in items if item.path == PLANTED]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]
