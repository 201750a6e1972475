"""Python reads this before anything else where this folder is on PYTHONPATH: its clock is TEST_CLOCK_OFFSET s off.

The kernel cannot set the wall clock of one process, so `time.time` and `datetime.now` are replaced, which is all
that Python programs ask.
"""

from __future__ import annotations

import datetime
import os
import time
from typing import Any

_OFFSET = float(os.environ.get("TEST_CLOCK_OFFSET", "0"))
_REAL = datetime.datetime
_time = time.time


class _Kind(type(_REAL)):  # type: ignore[misc]
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, _REAL)


class _Skewed(_REAL, metaclass=_Kind):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> _REAL:  # type: ignore[override]
        return _REAL.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> _REAL:  # type: ignore[override]
        return _REAL.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)


if _OFFSET:
    time.time = lambda: _time() + _OFFSET
    datetime.datetime = _Skewed  # type: ignore[misc]
