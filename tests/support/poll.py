"""Waiting in tests: poll for a condition until a deadline, never a bare sleep."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

PAUSE = 0.02
T = TypeVar("T")
_NEVER_SET = threading.Event()


def wait_until(check: Callable[[], T], timeout: float = 30.0, what: str = "the condition") -> T:
    """Call `check` until it returns something true and return that; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (value := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} was not met within {timeout} s; the last value was {value!r}")
        _NEVER_SET.wait(PAUSE)
    return value


async def async_wait_until(check: Callable[[], T], timeout: float = 30.0, what: str = "the condition") -> T:  # noqa: ASYNC109
    """As `wait_until`, for tests that run on the event loop."""
    deadline = time.monotonic() + timeout
    while not (value := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} was not met within {timeout} s; the last value was {value!r}")
        await asyncio.sleep(PAUSE)
    return value
