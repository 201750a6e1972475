"""What people may set of a schedule, checked as far as that goes without the store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Self, TypeVar

from pydantic import ConfigDict, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from qa_queue.errors import ForbiddenError, InputError
from qa_queue.models import QueueName, Role
from qa_queue.schedules.cron import check_cron
from qa_queue.schedules.times import duration, seconds_of, zone_of
from qa_queue.store.schedule_records import ScheduleFields, ScheduleRecord

T = TypeVar("T")
FIRST_YEAR, LAST_YEAR = 1970, 9000  # so that reckoning in any zone stays within what a datetime can be
MOST_JITTER = 10  # times the interval
_SECRETS = "QA_SECRET_"
_EXAMPLE: dict[str, Any] = {
    "name": "nightly",
    "tag": "smoke",
    "cron": "30 2 * * mon-fri",
    "time_zone": "Europe/Berlin",
}


class ScheduleSpec(ScheduleFields):
    """A schedule as it is asked for: `cron` or `every`; `cases` or `tag`, or another queue's `data`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    @field_validator("name")
    @classmethod
    def _one_line(cls, name: str) -> str:
        if not name.isprintable() or name != name.strip():
            raise _refused("a name is one line of text without blanks around it")
        return name

    @field_validator("cron")
    @classmethod
    def _cron(cls, cron: str | None) -> str | None:
        if cron is not None:
            _tried(check_cron, cron)
        return cron if cron is None else cron.strip()

    @field_validator("every")
    @classmethod
    def _every(cls, every: str | None) -> str | None:
        return every if every is None else duration(_tried(seconds_of, every))

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        _tried(zone_of, name)
        return name

    @field_validator("start_at", "end_at")
    @classmethod
    def _aware(cls, moment: datetime | None) -> datetime | None:
        if moment is not None and moment.tzinfo is None:
            raise _refused("a date needs a time zone: add Z or +02:00")
        if moment is not None and not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise _refused(f"a date has a year from {FIRST_YEAR} to {LAST_YEAR}")
        return moment

    @field_validator("env")
    @classmethod
    def _no_secrets(cls, env: dict[str, str]) -> dict[str, str]:
        secret = next((name for name in env if name.upper().startswith(_SECRETS)), None)
        if secret:
            raise _refused(f"{secret} is a secret, and a schedule keeps none: set it where the workers run")
        return env

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.cron is None) == (self.every is None):
            raise _refused("give either cron or every")
        if self.every is not None and self.jitter_s > (most := MOST_JITTER * seconds_of(self.every)):
            raise _refused(f"jitter_s {self.jitter_s} is too long for every {self.every}: it may be {most} at most")
        if self.start_at and self.end_at and self.end_at <= self.start_at:
            raise _refused("end_at must be later than start_at")
        if self.queue == QueueName.TEST_EXECUTION:
            if bool(self.cases) == (self.tag is not None) or self.data:
                raise _refused("give either cases or tag, and data for other queues only")
        elif self.cases or self.tag is not None:
            raise _refused(f"cases and tag are for {QueueName.TEST_EXECUTION.value}; {self.queue} takes data")
        return self


def read_spec(values: dict[str, Any]) -> ScheduleSpec:
    """The spec of these values.

    Raises:
        InputError: names every field that cannot be used and why.
    """
    try:
        return ScheduleSpec.model_validate(values)
    except ValidationError as error:
        found = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ") for one in error.errors())
        raise InputError("the schedule cannot be used: " + "; ".join(found).rstrip(".") + ".") from None


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


def spec_of(schedule: ScheduleRecord) -> dict[str, Any]:
    """The values that people set of a schedule, as `read_spec` takes them."""
    return schedule.model_dump(include=set(ScheduleFields.model_fields))


def _tried(check: Callable[[str], T], text: str) -> T:
    try:
        return check(text)
    except InputError as error:
        raise _refused(str(error)) from None


def _refused(message: str) -> PydanticCustomError:
    return PydanticCustomError("schedule", "{message}", {"message": message})
