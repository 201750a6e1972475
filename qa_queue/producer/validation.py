"""Validation of requests: every problem of all of them, with its number and name, before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from qa_queue.cases.data_files import row_name
from qa_queue.cases.model import Case
from qa_queue.cases.values import check_references, references
from qa_queue.errors import CaseError, InputError
from qa_queue.errors.validation import did_you_mean
from qa_queue.models import utc_now
from qa_queue.models.payloads import MAX_ATTEMPTS, MAX_DELAY_S
from qa_queue.producer.requests import RunRequest, Timed
from qa_queue.settings import read_variables
from qa_queue.store.sanitize import sanitize

MAX_REPEATS = 1000


def check_requests(requests: Sequence[RunRequest]) -> list[dict[str, str]]:
    """Return the environment of each request; see `resolve_environments`.

    Raises:
        CaseError: has the problems of all requests.
    """
    problems = [
        f"run {number} ({request.label}): {problem}"
        for number, request in enumerate(requests, start=1)
        for problem in (*timing_problems(request), *repeat_problems(request))
    ]
    environments: list[dict[str, str]] = []
    try:
        environments = resolve_environments(requests)
    except CaseError as error:
        problems += error.problems
    if problems:
        raise CaseError("\n".join(problems), tuple(problems))
    return environments


def check_number(requests: Sequence[Timed], most: int) -> None:
    """Refuse an empty submission and one of too many requests.

    Raises:
        InputError: there are no requests, or more than `most`.
    """
    if not requests:
        raise InputError("There is nothing to submit: give at least one.")
    if len(requests) > most:
        raise InputError(f"{len(requests)} at once are too many: submit at most {most} at a time.")


def timing_problems(request: Timed) -> Iterator[str]:
    """Yield what is wrong with a request's attempts, times and idempotency key."""
    if request.attempts is not None and not 1 <= request.attempts <= MAX_ATTEMPTS:
        yield f"attempts is {request.attempts}: it should be 1 to {MAX_ATTEMPTS}"
    if request.delay_ms is not None and request.run_at is not None:
        yield "delay_ms and run_at are both given: give one of them"
    if request.delay_ms is not None and not 0 <= request.delay_ms <= MAX_DELAY_S * 1000:
        yield f"delay_ms is {request.delay_ms}: it should be 0 to {MAX_DELAY_S * 1000}, a year"
    if request.run_at is not None:
        if request.run_at.tzinfo is None:
            yield "run_at has no time zone: add one, such as Z or +02:00"
        elif request.run_at > utc_now() + timedelta(seconds=MAX_DELAY_S):
            yield f"run_at is {request.run_at.isoformat()}: it should be within a year"
    if request.idempotency_key is not None and not request.idempotency_key:
        yield "the idempotency key is empty: give one, or none at all"


def repeat_problems(request: RunRequest) -> Iterator[str]:
    """Yield what is wrong with a request's repetition."""
    if not 1 <= request.repeat <= MAX_REPEATS:
        yield f"repeat is {request.repeat}: it should be 1 to {MAX_REPEATS}; for more, create a schedule"
        return
    if (request.repeat == 1) != (request.every_ms is None):
        yield "repeat and every_ms belong together: the number of runs, and the ms from one to the next"
        return
    last = (request.delay_ms or 0) + (request.repeat - 1) * (request.every_ms or 0)
    if (request.every_ms or 0) < 0 or last > MAX_DELAY_S * 1000:
        yield f"every_ms is {request.every_ms}: the last run should be within a year; for more, create a schedule"


def expanded(request: RunRequest) -> list[RunRequest]:
    """Return one request for each repetition and row: the first as it is, each repetition `every_ms` after another.

    The idempotency key gets the number of the repetition, and that of the row.
    """
    return [one for number in range(request.repeat) for one in _rows(_nth(request, number))]


def _rows(request: RunRequest) -> list[RunRequest]:
    if request.data_row is not None or not request.case.data:
        return [request]
    key = request.idempotency_key
    return [
        replace(
            request,
            data_row={"name": row_name(row), "values": row},
            idempotency_key=f"{key}#row{number}" if key and number > 1 else key,
        )
        for number, row in enumerate(request.case.data, 1)
    ]


def with_row(request: RunRequest, wanted: str) -> RunRequest:
    """Return the request for one row of data, given by its number, counted from 1, or by its name.

    Raises:
        InputError: there is no such row.
    """
    rows = [{"name": row_name(row), "values": row} for row in request.case.data]
    names = [str(row["name"]) for row in rows]
    found = {str(number): row for number, row in enumerate(rows, 1)} | dict(zip(names, rows, strict=True))
    if wanted not in found:
        known = did_you_mean(wanted, names) if rows else ": it has no rows"
        raise InputError(f"row {wanted!r} is not a row of data of {request.label}{known}")
    return replace(request, data_row=found[wanted])


def _nth(request: RunRequest, number: int) -> RunRequest:
    one = replace(request, repeat=1, every_ms=None)
    if number == 0:
        return one
    later, key = number * (request.every_ms or 0), request.idempotency_key
    one = replace(one, idempotency_key=f"{key}#{number}" if key else key)
    if request.run_at is not None:
        return replace(one, run_at=request.run_at + timedelta(milliseconds=later))
    return replace(one, delay_ms=(request.delay_ms or 0) + later)


def resolve_environments(requests: Sequence[RunRequest]) -> list[dict[str, str]]:
    """Return the values of `${env.X}` for each request: the process's own, overridden by those of the request.

    Only names that the case uses are included.

    Raises:
        CaseError: references without a value, or to the service's own settings; has those of all requests.
    """
    environments: list[dict[str, str]] = []
    problems: list[str] = []
    distinct = {id(request.case): request.case for request in requests}
    names = {key: _variables(case) for key, case in distinct.items()}
    for request in requests:
        try:
            env = _environment(request, names[id(request.case)])
        except InputError as error:
            problems.append(f"{request.label}: {error}")
            continue
        problems += check_references(request.case, env.keys(), source=request.source or "")
        environments.append(env)
    if problems:
        unique = tuple(dict.fromkeys(problems))
        raise CaseError("\n".join(unique), unique)
    return environments


def _environment(request: RunRequest, names: frozenset[str]) -> dict[str, str]:
    given = {name: value for name, value in request.env.items() if name in names}
    own = read_variables(names)
    found = own | given if request.process_env else given
    return {name: str(sanitize(value)) for name, value in found.items()}


def _variables(case: Case) -> frozenset[str]:
    return frozenset(reference.name for reference in references(case) if reference.kind == "env")
