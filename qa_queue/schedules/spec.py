"""The fields that people set of a schedule, checked as far as that is possible without the store; and the roles."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Self, TypeVar

from pydantic import ConfigDict, ValidationError, field_validator, model_validator

from qa_queue.errors import ForbiddenError, InputError
from qa_queue.errors.validation import problems_of
from qa_queue.models import QueueName, Role
from qa_queue.schedules.cron import check_cron
from qa_queue.schedules.times import FIRST_YEAR, LAST_YEAR, interval_text, seconds_of, zone_of
from qa_queue.store.schedule_records import ScheduleFields, ScheduleRecord

T = TypeVar("T")
MOST_JITTER = 10  # times the interval
_SECRETS = "QA_SECRET_"
_EXAMPLE: dict[str, Any] = {
    "name": "nightly",
    "tag": "smoke",
    "cron": "30 2 * * mon-fri",
    "time_zone": "Europe/Berlin",
}


class ScheduleSpec(ScheduleFields):
    """The fields of a schedule: `cron` or `every`; `cases` or `tag`, or the `data` of another queue."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    @field_validator("name")
    @classmethod
    def _one_line(cls, name: str) -> str:
        if not name.isprintable() or name != name.strip():
            raise ValueError("a name is one line of text without blanks around it")
        return name

    @field_validator("cron")
    @classmethod
    def _cron(cls, cron: str | None) -> str | None:
        if cron is not None:
            _checked(check_cron, cron)
        return cron if cron is None else cron.strip()

    @field_validator("every")
    @classmethod
    def _every(cls, every: str | None) -> str | None:
        return every if every is None else interval_text(_checked(seconds_of, every))

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        _checked(zone_of, name)
        return name

    @field_validator("start_at", "end_at")
    @classmethod
    def _aware(cls, moment: datetime | None) -> datetime | None:
        if moment is not None and moment.tzinfo is None:
            raise ValueError("a date needs a time zone: add Z or +02:00")
        if moment is not None and not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise ValueError(f"a date has a year from {FIRST_YEAR} to {LAST_YEAR}")
        return moment

    @field_validator("env")
    @classmethod
    def _no_secrets(cls, env: dict[str, str]) -> dict[str, str]:
        secret = next((name for name in env if name.upper().startswith(_SECRETS)), None)
        if secret:
            raise ValueError(f"{secret} is a secret, which a schedule must not store: set it where the workers run")
        return env

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.cron is None) == (self.every is None):
            raise ValueError("give either cron or every")
        if self.every is not None and self.jitter_s > (most := MOST_JITTER * seconds_of(self.every)):
            raise ValueError(
                f"jitter_s {self.jitter_s} is too long for every {self.every}: it may be {most} at most"
            )
        if self.start_at and self.end_at and self.end_at <= self.start_at:
            raise ValueError("end_at must be later than start_at")
        if self.queue == QueueName.TEST_EXECUTION:
            if bool(self.cases) == (self.tag is not None) or self.data:
                raise ValueError("give either cases or tag, and data for other queues only")
        elif self.cases or self.tag is not None:
            raise ValueError(f"cases and tag are for {QueueName.TEST_EXECUTION.value}; {self.queue} takes data")
        return self


def read_spec(values: dict[str, Any]) -> ScheduleSpec:
    """Return the spec of these values.

    Raises:
        InputError: names every field that cannot be used, and why.
    """
    try:
        return ScheduleSpec.model_validate(values)
    except ValidationError as error:
        found = "; ".join(map(str, problems_of(error, ScheduleSpec)))
        raise InputError(f"the schedule cannot be used: {found.rstrip('.')}.") from None


def spec_of(schedule: ScheduleRecord) -> dict[str, Any]:
    """Return the fields that people set of a schedule, as `read_spec` takes them."""
    return schedule.model_dump(include=set(ScheduleFields.model_fields))


def role_to_start(queue: str) -> Role:
    """Return the least role that may start jobs of this queue: runs need `run`, jobs of other queues `admin`."""
    return Role.RUN if queue == QueueName.TEST_EXECUTION else Role.ADMIN


def authorize(queue: str, role: Role) -> None:
    """Return if this role may start jobs of this queue.

    Raises:
        ForbiddenError: the role is too small.
    """
    needed = role_to_start(queue)
    if not role.covers(needed):
        raise ForbiddenError(f"a schedule of the queue {queue} needs the role {needed}, not {role}.")


def _checked(check: Callable[[str], T], text: str) -> T:
    try:
        return check(text)
    except InputError as error:
        raise ValueError(str(error)) from None
