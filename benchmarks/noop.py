"""A job that does nothing, in a module of its own: `rq.Worker` imports it anew in each work horse."""

from __future__ import annotations

from typing import Any


def noop(data: dict[str, Any]) -> dict[str, Any]:
    """The data."""
    return data
