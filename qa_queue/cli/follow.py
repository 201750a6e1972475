"""Following runs until they end: one live bar a run in a terminal, one line a run elsewhere."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from qa_queue.cli.render import status_text
from qa_queue.cli.service import CommandServices
from qa_queue.models import JobProgress, RunStatus
from qa_queue.store.records import RunRecord

SILENCE = 5.0  # s without news after which the rows are asked, for runs whose worker could not say their end


class ProgressView(Protocol):
    """Where the news of runs is shown."""

    def show(self, run_id: str, progress: JobProgress) -> None:
        """Show one report."""

    def close(self) -> None:
        """Leave the screen as it should stay."""


class NoView:
    """Shows nothing, for `--json`."""

    def show(self, run_id: str, progress: JobProgress) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """Nothing was opened."""


@dataclass
class LineView:
    """One line for each run that ends, for logs and pipes."""

    console: Console
    names: Mapping[str, str]

    def show(self, run_id: str, progress: JobProgress) -> None:
        """Print the run's end."""
        if progress.status.final:
            steps = f"{progress.current_step}/{progress.total_steps or '?'} steps"
            self.console.print(
                f"{status_text(progress.status)}  {escape(self.names[run_id])}  {steps}", soft_wrap=True
            )

    def close(self) -> None:
        """Every line is printed already."""


@dataclass
class BarView:
    """A bar for each run, with the step that was done last."""

    console: Console
    names: Mapping[str, str]
    _bars: Progress = field(init=False)
    _live: Live = field(init=False)
    _tasks: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        width = min(40, max(map(len, self.names.values()), default=10))
        self._bars = Progress(
            TextColumn("{task.description}", table_column=Column(width=width, no_wrap=True)),
            BarColumn(bar_width=24, complete_style="cyan", finished_style="green"),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[state]}", table_column=Column(width=10)),
            TimeElapsedColumn(),
            TextColumn(
                "[dim]{task.fields[step]}[/]", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
            ),
            console=self.console,
            expand=True,
        )
        self._tasks = {
            run_id: int(self._bars.add_task(escape(name), total=100, start=False, state="[dim]queued[/]", step=""))
            for run_id, name in self.names.items()
        }
        # A bar that does not fit the screen would hide the news below it: the newest are shown.
        self._live = Live(self._bars, console=self.console, refresh_per_second=10, vertical_overflow="crop")
        self._live.start()

    def show(self, run_id: str, progress: JobProgress) -> None:
        """Move the run's bar."""
        task = self._bars.tasks[self._tasks[run_id]]
        if task.start_time is None and progress.status is not RunStatus.QUEUED:
            self._bars.start_task(task.id)
        self._bars.update(
            task.id,
            # A full bar stops its clock, so it is full only when the run has ended.
            completed=_filled(progress),
            state=status_text(progress.status),
            step="" if progress.status.good else escape(progress.message),
        )
        if progress.status.final:
            self._bars.stop_task(task.id)

    def close(self) -> None:
        """Leave the bars as they are last, and a line free below them."""
        self._live.stop()
        self.console.print()


def _filled(progress: JobProgress) -> int:
    if progress.status.good:
        return 100
    return (progress.percentage or 0) if progress.status.final else min(progress.percentage or 0, 99)


def choose_view(console: Console, names: Mapping[str, str], *, quiet: bool) -> ProgressView:
    """Bars for a person at a terminal, lines for a log, nothing for a program."""
    if quiet:
        return NoView()
    return BarView(console, names) if console.is_terminal else LineView(console, names)


def follow(
    service: CommandServices, names: Mapping[str, str], view: ProgressView, *, timeout: float | None
) -> dict[str, RunStatus]:
    """Show the progress of these runs until all have ended or `timeout` s are over.

    Returns the last known status of each. Ctrl-C and SIGTERM raise KeyboardInterrupt.
    """
    statuses = dict.fromkeys(names, RunStatus.QUEUED)
    try:
        with _sigterm_interrupts():
            for progress in _reports(service, statuses, timeout):
                statuses[progress.test_run_id] = progress.status
                view.show(progress.test_run_id, progress)
    finally:
        view.close()
    return statuses


def _reports(
    service: CommandServices, statuses: Mapping[str, RunStatus], timeout: float | None
) -> Iterator[JobProgress]:
    """The reports of the runs that have not ended; the caller keeps `statuses` up to date."""
    seen = dict.fromkeys(statuses, "0")
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    while waiting := [run_id for run_id, status in statuses.items() if not status.final]:
        patience = min(SILENCE, deadline - time.monotonic())
        if patience <= 0:
            return
        for event in service.progress.follow_many({r: seen[r] for r in waiting}, timeout=patience):
            seen[event.progress.test_run_id] = event.id
            yield event.progress
        yield from _ended_unheard(service, statuses)


def _ended_unheard(service: CommandServices, statuses: Mapping[str, RunStatus]) -> list[JobProgress]:
    """Last reports, made from the rows, of runs that ended although no report has said so yet."""
    waiting = [run_id for run_id, status in statuses.items() if not status.final]
    rows = [run for run in map(service.store.get_run, waiting) if run is not None]
    return [last_report(run) for run in rows if run.status.final]


def last_report(run: RunRecord) -> JobProgress:
    """What a run that has ended would have said last."""
    done = run.completed_steps + run.failed_steps
    return JobProgress(
        test_run_id=run.id,
        current_step=done,
        total_steps=max(done, run.total_steps),
        percentage=100 if run.status.good else 100 * done // max(1, run.total_steps, done),
        message=(run.error or "").split("\n")[0],
        status=run.status,
    )


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """A CI system ends a step by SIGTERM: treat it as a person's Ctrl-C, so that the runs are cancelled."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
