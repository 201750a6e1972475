"""Schedules: cases and jobs that are started at set times, each moment exactly once."""

from qa_queue.schedules.display import last_outcomes
from qa_queue.schedules.registry import ScheduleRegistry, preview_spec
from qa_queue.schedules.runner import ScheduleRunner
from qa_queue.schedules.spec import ScheduleSpec, read_spec

__all__ = ["ScheduleRegistry", "ScheduleRunner", "ScheduleSpec", "last_outcomes", "preview_spec", "read_spec"]
