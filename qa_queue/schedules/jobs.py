"""The jobs of a schedule's moment. Pure except for reading the store.

Every id is derived from the schedule and the moment, so that every process makes the same jobs of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID, uuid5

from pydantic import BaseModel, ValidationError

from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.reader import parse_case
from qa_queue.cases.rebase import moved
from qa_queue.errors import InputError
from qa_queue.errors.validation import nearest, problems_of
from qa_queue.extensions import catalogue, known_queue
from qa_queue.models import Priority, QueueName, utc_now
from qa_queue.producer import RunRequest
from qa_queue.producer.planning import PlannedRun, run_records, run_spec
from qa_queue.producer.validation import resolve_environments
from qa_queue.queues import JobSpec
from qa_queue.schedules.spec import authorize
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import CaseRecord, RunRecord
from qa_queue.store.schedule_records import ScheduleFields, ScheduleRecord

F = TypeVar("F", bound=ScheduleFields)
_NAMESPACE = UUID("0f1c2b7e-8a0e-4d64-8f0b-51cf8a1e6d02")


@dataclass(frozen=True, kw_only=True)
class ScheduledWork:
    """The jobs of a moment, all of one queue, and the rows and the batch if they are runs; `note` is a warning."""

    queue: str
    jobs: Sequence[JobSpec]
    first_id: str
    runs: Sequence[RunRecord] = ()
    batch_id: str | None = None
    note: str | None = None


def work_of(store: RunStore, schedule: ScheduleRecord, moment: datetime) -> ScheduledWork:
    """Return the jobs of this moment.

    Raises:
        InputError: it cannot be started: a case is missing or unreadable, or a value or the queue is not known.
        ForbiddenError: the role of the caller who last set the schedule may not start it.
        StoreError: the store failed.
    """
    authorize(schedule.queue, schedule.role)
    if schedule.queue != QueueName.TEST_EXECUTION:
        return _job(schedule, moment)
    cases, missing = chosen_cases(store, schedule)
    note = f"{len(missing)} of its cases are gone: {', '.join(missing)}" if missing else None
    batch_id = _id(schedule, moment, "batch")
    plans = _plans(schedule, cases, moment, batch_id)
    now = utc_now()
    return ScheduledWork(
        queue=schedule.queue,
        jobs=[run_spec(plan, moment) for plan in plans],
        first_id=plans[0].run_id,
        runs=run_records(plans, {plan.case.id: plan.case.version for plan in plans}, now),
        batch_id=batch_id,
        note=note,
    )


def check_work(store: RunStore, schedule: F) -> F:
    """Return the schedule with its cases by id, if it could be started as it is; a tag may have no case yet.

    Raises:
        InputError: it could not be started.
    """
    if schedule.queue != QueueName.TEST_EXECUTION:
        _payload(schedule)
        return schedule
    found = schedule.model_copy(update={"cases": _ids(store, schedule.cases)})
    cases, _ = chosen_cases(store, found, allow_none=True)
    resolve_environments([_request(found, case, None, None) for case in cases])
    return found


def _ids(store: RunStore, names: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of these cases, each once; a case is given by its name, key or id."""
    known = store.list_cases() if names else []
    return tuple(dict.fromkeys(case_named(name, known).id for name in names))


def case_named(name: str, known: Sequence[CaseRecord]) -> CaseRecord:
    """Return the case of this id or key, else the one of this name.

    Raises:
        InputError: several cases have that name, or none has.
    """
    found = [case for case in known if name in (case.id, case.key)] or [case for case in known if case.name == name]
    if len(found) > 1:
        raise InputError(f"{len(found)} cases are called {name!r}: give the id of one, such as {found[0].id}.")
    if not found:
        near = nearest(name, [word for case in known for word in (case.name, case.key)])
        hint = f" Did you mean {near!r}?" if near else ""
        raise InputError(f"there is no case {name!r}.{hint} `qa-queue case list` lists all cases.")
    return found[0]


def chosen_cases(
    store: RunStore, schedule: ScheduleFields, *, allow_none: bool = False
) -> tuple[list[CaseRecord], list[str]]:
    """Return the cases that a schedule runs, in its order, and the ids of those that no longer exist.

    Raises:
        InputError: there is no case to run, which `allow_none` permits.
    """
    if len(schedule.cases) == 1:
        only = store.get_case(schedule.cases[0])
        known = [only] if only else []
    else:
        known = store.list_cases()
    if schedule.tag is not None:
        found, missing = [case for case in known if schedule.tag in case.tags], []
    else:
        by_id = {case.id: case for case in known}
        found = [by_id[case_id] for case_id in schedule.cases if case_id in by_id]
        missing = [case_id for case_id in schedule.cases if case_id not in by_id]
    if not found and not allow_none:
        problem = "all of its cases are gone" if schedule.tag is None else f"no case has the tag {schedule.tag!r}"
        raise InputError(f"{problem}: store one, or change the schedule.")
    return found, missing


def _plans(
    schedule: ScheduleRecord, cases: Sequence[CaseRecord], moment: datetime, batch_id: str
) -> list[PlannedRun]:
    user = f"schedule:{schedule.name}"
    requests = [_request(schedule, case, user, batch_id) for case in cases]
    return [
        PlannedRun(
            run_id=_id(schedule, moment, case.id),
            request=request,
            case=case.model_copy(update={"definition": case_document(request.case)}),
            env=env,
        )
        for case, request, env in zip(cases, requests, resolve_environments(requests), strict=True)
    ]


def _request(schedule: ScheduleFields, record: CaseRecord, user: str | None, batch_id: str | None) -> RunRequest:
    case = parse_case(record.definition, source=record.name)
    return RunRequest(
        case=moved(case, schedule.base_url) if schedule.base_url else case,
        source=record.source,
        base_url=schedule.base_url,
        env=schedule.env,
        process_env=False,
        config=schedule.config,
        priority=Priority[schedule.priority.upper()],
        user_id=user,
        attempts=schedule.attempts,
        batch_id=batch_id,
    )


def _job(schedule: ScheduleRecord, moment: datetime) -> ScheduledWork:
    job_id = _id(schedule, moment, schedule.queue)
    job = JobSpec(
        data=_payload(schedule),
        job_id=job_id,
        name=f"Schedule {schedule.name}",
        priority=Priority[schedule.priority.upper()],
        attempts=schedule.attempts,
    )
    return ScheduledWork(queue=schedule.queue, jobs=[job], first_id=job_id)


def _payload(schedule: ScheduleFields) -> BaseModel:
    spec = catalogue().queues[known_queue(schedule.queue)]
    try:
        return spec.payload.model_validate(schedule.data)
    except ValidationError as error:
        found = "; ".join(map(str, problems_of(error, spec.payload)))
        raise InputError(f"data is not a payload of {schedule.queue}: {found}.") from None


def _id(schedule: ScheduleRecord, moment: datetime, what: str) -> str:
    return str(uuid5(_NAMESPACE, f"{schedule.id}|{moment.astimezone(UTC).isoformat()}|{what}"))
