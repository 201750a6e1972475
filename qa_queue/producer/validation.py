"""What is wrong with requests, each with its number and name. Pure, but for `${env.X}` of this process.

Requests that ask for more than one run, so far apart: as many requests as runs. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from qa_queue.errors import CaseError, InputError
from qa_queue.extensions.spec import MOST_ATTEMPTS
from qa_queue.models import utc_now
from qa_queue.producer.planning import resolve_environments
from qa_queue.producer.requests import RunRequest, Timed
from qa_queue.queues.jobs import FURTHEST_S

FURTHEST = timedelta(seconds=FURTHEST_S)


def check_requests(requests: Sequence[RunRequest]) -> list[dict[str, str]]:
    """The environment of each request; see `resolve_environments`.

    Raises:
        CaseError: has the problems of all requests.
    """
    problems = [
        f"run {number} ({label(request)}): {problem}"
        for number, request in enumerate(requests, start=1)
        for problem in (*problems_of(request), *repeat_problems(request))
    ]
    environments: list[dict[str, str]] = []
    try:
        environments = resolve_environments(requests)
    except CaseError as error:
        problems += error.problems
    if problems:
        raise CaseError("\n".join(problems), tuple(problems))
    return environments


def problems_of(request: Timed) -> Iterator[str]:
    """What is wrong with how a request is to be queued."""
    if request.attempts is not None and not 1 <= request.attempts <= MOST_ATTEMPTS:
        yield f"attempts is {request.attempts}: it should be 1 to {MOST_ATTEMPTS}"
    if request.delay_ms is not None and request.run_at is not None:
        yield "delay_ms and run_at are both given: give one of them"
    if request.delay_ms is not None and not 0 <= request.delay_ms <= FURTHEST_S * 1000:
        yield f"delay_ms is {request.delay_ms}: it should be 0 to {FURTHEST_S * 1000}, a year"
    if request.run_at is not None:
        if request.run_at.tzinfo is None:
            yield "run_at has no time zone: add one, such as Z or +02:00"
        elif request.run_at > utc_now() + FURTHEST:
            yield f"run_at is {request.run_at.isoformat()}: it should be within a year"
    if request.idempotency_key is not None and not request.idempotency_key:
        yield "the idempotency key is empty: give one, or none at all"


def label(request: RunRequest) -> str:
    """A request's name for messages."""
    return request.source or request.case.name


def check_number(requests: Sequence[Timed], most: int) -> None:
    """Whether so many may be submitted at once.

    Raises:
        InputError: there is none, or there are more than `most`.
    """
    if not requests:
        raise InputError("There is nothing to submit: give at least one.")
    if len(requests) > most:
        raise InputError(f"{len(requests)} at once are too many: submit at most {most} at a time.")


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
