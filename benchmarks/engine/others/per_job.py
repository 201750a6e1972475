"""Today's common way, for `rq.Worker`: a job that launches a browser for itself, in a module of its own."""

from __future__ import annotations

from typing import Any

from benchmarks.engine.others.loops import in_turn


def login(data: dict[str, Any]) -> dict[str, Any]:
    """Launch, do the five steps, close."""
    in_turn(data["url"], data["browser"], 1)
    return data
