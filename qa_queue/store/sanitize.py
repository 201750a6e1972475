"""Values that Postgres can keep."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any


def sanitize(value: Any) -> Any:
    """Return the value as JSON that Postgres can keep.

    NUL characters are removed, a lone surrogate becomes U+FFFD, NaN and infinity become null.
    """
    if isinstance(value, str):
        return _sanitize_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {_sanitize_text(str(key)): sanitize(item) for key, item in value.items()}
    return [sanitize(item) for item in value] if isinstance(value, (list, tuple)) else value


def _sanitize_text(text: str) -> str:
    text = str.__str__(text).replace("\x00", "")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
