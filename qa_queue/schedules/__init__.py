"""Schedules: what is started at set times, when that is, and starting it exactly once."""

from qa_queue.schedules.registry import ScheduleRegistry, previewed
from qa_queue.schedules.runner import ScheduleRunner
from qa_queue.schedules.spec import ScheduleSpec, read_spec
from qa_queue.schedules.starter import last_outcomes

__all__ = ["ScheduleRegistry", "ScheduleRunner", "ScheduleSpec", "last_outcomes", "previewed", "read_spec"]
