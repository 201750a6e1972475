"""Schedules: what is started at set times, when that is, and starting it exactly once."""

from qa_queue.schedules.book import ScheduleBook, previewed
from qa_queue.schedules.firing import ScheduleServer
from qa_queue.schedules.outcome import last_outcomes
from qa_queue.schedules.spec import ScheduleSpec, read_spec

__all__ = ["ScheduleBook", "ScheduleServer", "ScheduleSpec", "last_outcomes", "previewed", "read_spec"]
