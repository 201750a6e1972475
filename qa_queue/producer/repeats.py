"""Requests that ask for more than one run, so far apart: as many requests as runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from qa_queue.producer.requests import RunRequest
from qa_queue.queues.jobs import FURTHEST_S

MOST_REPEATS = 1000


def expanded(request: RunRequest) -> list[RunRequest]:
    """A request as often as it asks for: the first as it stands, the others `every_ms` later each than the one
    before. An idempotency key names every one of them, by its number.
    """
    return [_nth(request, number) for number in range(request.repeat)]


def repeat_problems(request: RunRequest) -> Iterator[str]:
    """What is wrong with how a request is to be repeated."""
    if not 1 <= request.repeat <= MOST_REPEATS:
        yield f"repeat is {request.repeat}: it should be 1 to {MOST_REPEATS}; for more, make a schedule"
        return
    if (request.repeat == 1) != (request.every_ms is None):
        yield "repeat and every_ms belong together: how often, and how many ms apart"
        return
    last = (request.delay_ms or 0) + (request.repeat - 1) * (request.every_ms or 0)
    if (request.every_ms or 0) < 0 or last > FURTHEST_S * 1000:
        yield f"every_ms is {request.every_ms}: the last run should be within a year; make a schedule for more"


def _nth(request: RunRequest, number: int) -> RunRequest:
    one = replace(request, repeat=1, every_ms=None)
    if number == 0:
        return one
    later, key = number * (request.every_ms or 0), request.idempotency_key
    one = replace(one, idempotency_key=f"{key}#{number}" if key else key)
    if request.run_at is not None:
        return replace(one, run_at=request.run_at + timedelta(milliseconds=later))
    return replace(one, delay_ms=(request.delay_ms or 0) + later)
