"""Clocks that are off: the environment of a process with one, which `skewed/sitecustomize.py` reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SKEWED = Path(__file__).with_name("skewed")
_OFFSET = "TEST_CLOCK_OFFSET"


def clock_off(seconds: int) -> dict[str, str]:
    """Return the variables of a process whose clock is off by this; none for a right one."""
    return {"PYTHONPATH": str(SKEWED), _OFFSET: str(seconds)} if seconds else {}


def clock_of(environment: Mapping[str, str]) -> int:
    """Return the seconds by which the clock of a process with this environment is off."""
    return int(environment.get(_OFFSET, "0"))
