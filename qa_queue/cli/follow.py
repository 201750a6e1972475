"""Following runs to their end: a live bar for each run in a terminal, elsewhere a line for each."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol

from rich.constrain import Constrain
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from qa_queue.cli.interrupts import sigterm_interrupts
from qa_queue.cli.render import WIDE, Console, status_text
from qa_queue.errors.validation import count_of
from qa_queue.models import JobProgress, RunStatus
from qa_queue.progress import FROM_START
from qa_queue.services import Backend
from qa_queue.services.runs import RunFollower


class ProgressView(Protocol):
    """A display of the progress of runs."""

    def show(self, run_id: str, progress: JobProgress) -> None:
        """Show one report."""

    def close(self) -> None:
        """Leave the screen in its final state."""


class NoView:
    """No display, for `--json`."""

    def show(self, run_id: str, progress: JobProgress) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Close nothing."""


@dataclass
class LineView:
    """A line for each run that ends, for logs and pipes."""

    console: Console
    names: Mapping[str, str]

    def show(self, run_id: str, progress: JobProgress) -> None:
        """Print the run's end."""
        if progress.status.final:
            steps = f"{progress.current_step}/{progress.total_steps or '?'} steps"
            self.console.print(
                f"{status_text(progress.status, progress.label)}  {escape(self.names[run_id])}  {steps}",
                soft_wrap=True,
            )

    def close(self) -> None:
        """Close nothing: every line is printed."""


@dataclass
class BarView:
    """A bar for each run, with its last step where the terminal has space for it."""

    console: Console
    names: Mapping[str, str]
    _bars: Progress = field(init=False)
    _live: Live = field(init=False)
    _tasks: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        width = min(40, max(map(len, self.names.values()), default=10))
        step = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self._bars = Progress(
            TextColumn("{task.description}", table_column=Column(width=width, no_wrap=True)),
            BarColumn(bar_width=24, complete_style="cyan", finished_style="green"),
            TextColumn("{task.fields[share]:>4}", table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[state]}", table_column=Column(min_width=10, no_wrap=True)),
            TimeElapsedColumn(),
            *([TextColumn("[dim]{task.fields[step]}[/]", table_column=step)] if self.console.width >= WIDE else []),
            console=self.console,
            expand=True,
        )
        self._tasks = {
            run_id: int(
                self._bars.add_task(
                    escape(name), total=100, start=False, share="0%", state="[dim]queued[/]", step=""
                )
            )
            for run_id, name in self.names.items()
        }
        # Bars that do not fit the screen are cut off, so that the lines below them stay visible.
        # The columns left free are those of the `^C` that a terminal prints: it would move to a line of its own.
        bars = Constrain(self._bars, self.console.width - len("^C"))
        self._live = Live(bars, console=self.console, refresh_per_second=10, vertical_overflow="crop")
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
            total=None if progress.percentage is None else 100,
            share=_share(progress),
            state=status_text(progress.status, progress.label),
            step="" if progress.status.good else escape(progress.message),
        )
        if progress.status.final:
            self._bars.stop_task(task.id)

    def close(self) -> None:
        """Leave the bars in their final state, with an empty line below."""
        self._live.stop()
        self.console.print()


def _share(progress: JobProgress) -> str:
    """Return the percentage, or the number of steps so far where the total is unknown."""
    return f"{progress.current_step}/?" if progress.percentage is None else f"{_filled(progress)}%"


def _filled(progress: JobProgress) -> int:
    if progress.status.good:
        return 100
    return (progress.percentage or 0) if progress.status.final else min(progress.percentage or 0, 99)


def choose_view(console: Console, names: Mapping[str, str], *, quiet: bool) -> ProgressView:
    """Return bars for a terminal, lines for a log, and no display for a program."""
    if quiet:
        return NoView()
    return BarView(console, names) if console.is_terminal else LineView(console, names)


def follow(
    backend: Backend,
    names: Mapping[str, str],
    view: ProgressView,
    *,
    timeout: float | None,
    max_failures: int | None = None,
    new: bool = False,
) -> dict[str, RunStatus]:
    """Show the progress of these runs, which may be `new`, until all have ended or `timeout` s are over.

    After `max_failures` failed runs the others are cancelled. Returns the last status read of each. Ctrl-C and
    SIGTERM raise KeyboardInterrupt.
    """
    statuses = dict.fromkeys(names, RunStatus.QUEUED)
    follower = RunFollower(backend, dict.fromkeys(names, FROM_START), new=new)
    with closing(view), sigterm_interrupts():
        for event in follower.follow(timeout):
            statuses[event.progress.test_run_id] = event.progress.status
            view.show(event.progress.test_run_id, event.progress)
            if event.progress.status.bad:
                _cancel_others(backend, statuses, max_failures)
    return statuses


def _cancel_others(backend: Backend, statuses: Mapping[str, RunStatus], max_failures: int | None) -> None:
    """Cancel the unfinished runs when the number of failed ones reaches `max_failures`."""
    if max_failures is not None and sum(status.bad for status in statuses.values()) == max_failures:
        others = [run_id for run_id, status in statuses.items() if not status.final]
        backend.cancel(others, f"cancelled after {count_of(max_failures, 'failure')} (--max-failures)")
