"""Waiting in tests: poll for a condition until a deadline, never a bare sleep."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.1
T = TypeVar("T")
_NEVER_SET = threading.Event()


def wait_until(check: Callable[[], T], timeout: float = 30.0, what: str = "the condition") -> T:
    """Call `check` until it returns something true and return that; fail after `timeout` seconds."""
    begun = time.monotonic()
    deadline = begun + timeout
    while not (value := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} was not met within {timeout} s; the last value was {value!r}")
        _NEVER_SET.wait(_pause(begun))
    return value


async def async_wait_until(check: Callable[[], T], timeout: float = 30.0, what: str = "the condition") -> T:  # noqa: ASYNC109
    """As `wait_until`, for tests that run on the event loop."""
    begun = time.monotonic()
    deadline = begun + timeout
    while not (value := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} was not met within {timeout} s; the last value was {value!r}")
        await asyncio.sleep(_pause(begun))
    return value


def _pause(begun: float) -> float:
    """Return the seconds until the next look: a twentieth of the wait so far, which costs little time or CPU."""
    return min(LONGEST_PAUSE, max(SHORTEST_PAUSE, (time.monotonic() - begun) / 20))
