"""Schedules in a few words, for tables. Pure."""

from __future__ import annotations

from datetime import datetime

from qa_queue.errors import InputError
from qa_queue.models import QueueName
from qa_queue.schedules.times import zone_of
from qa_queue.store.schedule_records import ScheduleRecord


def when_of(schedule: ScheduleRecord) -> str:
    """When it comes, such as `every 15m` or `30 2 * * mon-fri`."""
    return f"every {schedule.every}" if schedule.every else schedule.cron or ""


def what_of(schedule: ScheduleRecord) -> str:
    """What it starts."""
    if schedule.queue != QueueName.TEST_EXECUTION:
        return f"a job of {schedule.queue}"
    if schedule.tag is not None:
        return f"cases tagged {schedule.tag}"
    return f"{len(schedule.cases)} case{'' if len(schedule.cases) == 1 else 's'}"


def local_time(schedule: ScheduleRecord, moment: datetime) -> datetime:
    """A moment as the clocks of its zone show it; in UTC where the zone is no longer known."""
    try:
        return moment.astimezone(zone_of(schedule.time_zone))
    except InputError:
        return moment
