"""Schedules for tests: valid as they come, each field open to an override."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from qa_queue.auth.tokens import Identity
from qa_queue.models import Role
from qa_queue.schedules.policy import with_next_run
from qa_queue.schedules.times import next_moment
from qa_queue.store.schedule_records import ScheduleRecord
from tests.support.records import NOON

ADMIN = Identity(name="ann", role=Role.ADMIN)


def schedule_record(**overrides: Any) -> ScheduleRecord:
    """A schedule with its own name, created at `created_at` (NOON), that comes every minute."""
    created: datetime = overrides.get("created_at", NOON)
    timing = {} if "cron" in overrides else {"every": "1m"}
    values = {
        "id": str(uuid4()),
        "name": f"schedule {uuid4()}",
        "tag": "smoke",
        "anchor_at": created,
        "role": "admin",
        "created_at": created,
        "updated_at": created,
    }
    made = ScheduleRecord.model_validate({**values, **timing, **overrides})
    if "next_fire_at" in overrides:
        return made
    return with_next_run(made, created, next_fire_at=next_moment(made, created))
