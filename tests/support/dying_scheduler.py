"""A scheduler that kills itself with SIGKILL at a chosen point of a start, as a program of its own.

Started as `python -m tests.support.dying_scheduler POINT`, with the service's settings in the environment.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, NoReturn

from qa_queue.redis import RedisClient
from qa_queue.schedules import ScheduleRunner
from qa_queue.schedules.starter import ScheduleStarter
from qa_queue.settings import load_settings
from qa_queue.store.schedule_records import ScheduleRecord
from qa_queue.store.supabase import SupabaseStore

POINTS = ("claimed", "marked", "rows", "enqueued", "confirmed")


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL ends a process")


def arrange(store: SupabaseStore, point: str) -> None:
    """Make the process die right after this point of a start."""
    schedules = store.schedules
    replace, open_runs = schedules.replace, schedules.open_runs

    def replaced(schedule: ScheduleRecord) -> bool:
        done = replace(schedule)
        if point == ("claimed" if schedule.pending else "confirmed"):
            die()
        return done

    def opened(runs: Any) -> None:
        if point == "marked":
            die()
        open_runs(runs)
        if point == "rows":
            die()

    start = ScheduleStarter.start

    def started(self: ScheduleStarter, *arguments: Any) -> Any:
        done = start(self, *arguments)
        if point == "enqueued":
            die()
        return done

    schedules.replace, schedules.open_runs = replaced, opened  # type: ignore[method-assign]
    ScheduleStarter.start = started  # type: ignore[method-assign]


def main() -> None:
    settings = load_settings()
    store = SupabaseStore.from_settings(settings)
    arrange(store, sys.argv[1])
    ScheduleRunner(RedisClient(settings).connect(), store, settings).serve_due()


if __name__ == "__main__":
    main()
