"""Runs, stats and findings as terminal output. Text from cases and pages is escaped, never parsed as markup."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table

from qa_queue.errors.validation import count_of, printable
from qa_queue.models import ArtifactKind, RunStatus
from qa_queue.models.outcomes import INTERRUPTED, RUN_CANCELLED, Outcome, count_label, label_of

if TYPE_CHECKING:
    from qa_queue.producer import SubmittedRun
    from qa_queue.services import Backend
    from qa_queue.services.runs import RunReport
    from qa_queue.store.records import RunRecord, StepRecord

MAX_COMMANDS = 10  # printed below a table
STATUS_WIDTH = 10  # columns: `timed out` on one line, `expected failure` on two
WIDE = 110  # columns from which a list shows whole ids, and a bar the last step
_UNITS = re.compile(r"(?:`[^`]*`|\S)+")
_COLOURS = {
    RunStatus.COMPLETED: "green",
    RunStatus.ADAPTED: "yellow",
    RunStatus.FAILED: "red",
    RunStatus.TIMED_OUT: "red",
    RunStatus.DEAD: "bold red",
    RunStatus.CANCELLED: "magenta",
    RunStatus.RUNNING: "cyan",
    RunStatus.QUEUED: "dim",
}
_LABEL_COLOURS = {
    Outcome.FLAKY.label: "yellow",
    Outcome.SKIPPED.label: "dim",
    Outcome.EXPECTED_FAILURE.label: "dim",
}
_STEP_COLOURS = {
    Outcome.PASSED: "green",
    Outcome.ADAPTED: "yellow",
    Outcome.FAILED: "red",
    Outcome.SKIPPED: "dim",
    Outcome.CANCELLED: "magenta",
}


class Console(RichConsole):
    """A terminal that shows the control characters in names and messages, and does not obey them."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of something to show, with printable text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


def echo(text: str, *, err: bool = False, nl: bool = False) -> None:
    """Print a text as it is to a file or a pipe, and with its control characters written out to a terminal."""
    stream = sys.stderr if err else sys.stdout
    typer.echo(printable(text) if stream.isatty() else text, nl=nl, err=err)


def wrapped(text: str, width: int) -> str:
    """Return a text in lines of at most `width` columns, none of which ends inside a word, a path or a command.

    A word that is longer than a line stays whole, and so does a command in backquotes.
    """
    lines: list[str] = []
    for line in text.split("\n"):
        row = ""
        for word in _UNITS.findall(line) if len(line) > width else (line,):
            if row and len(row) + 1 + len(word) > width:
                lines.append(row)
                row = word
            else:
                row = f"{row} {word}" if row else word
        lines.append(row)
    return "\n".join(lines)


def plain_table() -> Table:
    """An empty table in the style of this program, narrow enough for 80 columns."""
    return Table(box=SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0), show_edge=False)


def status_text(status: RunStatus, label: str | None = None) -> str:
    """The status in words, or its `label`, with its colour, as markup."""
    label = label or label_of(status)
    return f"[{_LABEL_COLOURS.get(label, _COLOURS[status])}]{label}[/]"


def counts_text(runs: Iterable[RunRecord]) -> str:
    """The number of runs with each label: `3 passed, 1 skipped, 2 failed`."""
    from qa_queue.store.records import counts_by_label

    return ", ".join(count_label(number, label) for label, number in counts_by_label(runs).items())


def network_text(network: Mapping[str, int]) -> str:
    """Return what a run sent and received."""
    received, sent = (f"{network[name] / 1000:,.0f} kB {name}" for name in ("received", "sent"))
    cached = f", {network['cached'] / 1000:,.0f} kB from the cache" if network.get("cached") else ""
    return f"{network['requests']} requests, {received}, {sent}{cached}"


def seconds(ms: int | None) -> str:
    """A duration for people: `0.42 s`, `61.3 s`, or nothing."""
    if ms is None:
        return ""
    return f"{ms / 1000:.2f} s" if ms < 10_000 else f"{ms / 1000:.1f} s"


def short_id(run_id: str) -> str:
    """Return the beginning of an id, which commands accept in its place."""
    return run_id[:8]


def runs_table(reports: Iterable[RunReport]) -> Table:
    """Return the table of followed runs; an error and notes go under the case's name."""
    table = plain_table()
    table.add_column("Run", no_wrap=True)
    table.add_column("Case", overflow="fold")
    table.add_column("Status", max_width=STATUS_WIDTH)
    table.add_column("Steps", justify="right", no_wrap=True)
    table.add_column("Duration", justify="right", no_wrap=True)
    for report in reports:
        table.add_row(*_run_cells(report))
    return table


def print_next_commands(reports: Sequence[RunReport], out: RichConsole) -> None:
    """Print a command for each run that did not end well, which works when pasted."""
    bad = [report for report in reports if report.run.status.bad]
    for report in bad[:MAX_COMMANDS]:
        command = "trace" if any(one.kind is ArtifactKind.TRACE for one in report.artifacts) else "show"
        out.print(
            f"[red]{escape(report.case_name)}[/]: [cyan]qa-queue {command} {short_id(report.run.id)}[/]",
            soft_wrap=True,
            highlight=False,
        )
    if len(bad) > MAX_COMMANDS:
        out.print(f"and {count_of(len(bad) - MAX_COMMANDS, 'more failed run')}: [cyan]qa-queue runs[/]")


def _run_cells(report: RunReport) -> tuple[str, ...]:
    run = report.run
    remark = report.note or _first_line(run)
    notes = [f"\n[yellow]note:[/] [dim]{escape(note)}[/]" for note in run.notes]
    name = escape(report.case_name) + (f"\n[dim]{escape(remark)}[/]" if remark else "") + "".join(notes)
    return (
        short_id(run.id),
        name,
        status_text(run.status, run.label),
        f"{report.done}/{run.known_total}",
        seconds(run.running_ms),
    )


def _first_line(run: RunRecord) -> str:
    """Return the first line of the run's error, without one that only repeats the status."""
    return "" if run.error in (RUN_CANCELLED, INTERRUPTED) else (run.error or "").split("\n")[0]


def run_list_table(runs: Sequence[RunRecord], names: dict[str, str], *, width: int, errors: bool = False) -> Table:
    """Return a line for each run, with its id, or with its beginning in a terminal narrower than `WIDE`.

    With `errors`, the first line of a run's error stands under the case's name.
    """
    table = plain_table()
    for column in ("Run", "Case", "Status", "Steps", "Queued", "Ran"):
        most = STATUS_WIDTH if column == "Status" else None
        table.add_column(column, overflow="fold", no_wrap=column not in ("Case", "Status"), max_width=most)
    for run in runs:
        error = _first_line(run) if errors else ""
        table.add_row(
            run.id if width >= WIDE else short_id(run.id),
            escape(names.get(run.test_case_id, run.test_case_id))
            + (" [dim](pinned)[/]" if run.pinned else "")
            + (f"\n[dim]{escape(error)}[/]" if error else ""),
            status_text(run.status, run.label),
            f"{run.steps_done}/{run.known_total}",
            f"{run.queued_at.astimezone():%m-%d %H:%M:%S}",
            seconds(run.running_ms),
        )
    return table


def steps_table(steps: Sequence[StepRecord]) -> Table:
    """Every step of a run in order, by position; notes and an error stand under their step."""
    several = len({step.attempt for step in steps}) > 1
    table = plain_table()
    for column in (*(("Attempt",) if several else ()), "#", "Step", "Status", "Duration"):
        table.add_column(column, justify="right" if column in ("#", "Duration") else "left", overflow="fold")
    for step in steps:
        blocks = "".join(f"[dim]{escape(name)} >[/] " for name in step.parents)
        notes = "".join(f"\n[dim]{escape(note)}[/]" for note in (*_where(step), *step.notes))
        colour = "dim" if step.outcome is Outcome.SKIPPED else "red"
        error = f"\n[{colour}]{escape(step.error)}[/]" if step.error else ""
        table.add_row(
            *((str(step.attempt),) if several else ()),
            step.place,
            blocks + escape(step.name) + notes + error,
            f"[{_STEP_COLOURS[step.outcome]}]{step.outcome.value}[/]",
            f"{step.duration_ms} ms",
        )
    return table


def _where(step: StepRecord) -> tuple[str, ...]:
    """Return the place in its file of a step that has more to say than that it passed."""
    return (step.source,) if step.source and (step.error or step.notes) else ()


def report_json(report: RunReport) -> dict[str, Any]:
    """A followed run for programs."""
    run = report.run
    return {
        "run_id": run.id,
        "case": report.case_name,
        "status": run.status.value,
        "label": run.label,
        "flaky": run.flaky,
        "total_steps": run.total_steps,
        "completed_steps": run.completed_steps,
        "failed_steps": run.failed_steps,
        "adapted_steps": run.adapted_steps,
        "waiting_ms": run.waiting_ms,
        "starting_ms": run.starting_ms,
        "running_ms": run.running_ms,
        "seed": run.seed,
        "data_row": run.data_row,
        "error": run.error,
        "error_kind": run.error_kind.value if run.error_kind else None,
        "notes": list(run.notes),
        "pinned": run.pinned,
        "network": run.network,
        "trace_id": run.trace_id,
        "artifacts": report.places(),
    }


def print_result(document: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print the result of a command: the document for programs, else the text."""
    if as_json:
        Console().print_json(data=document)
    else:
        Console().print(escape(text), highlight=False, soft_wrap=True)


def print_submitted(
    submitted: Sequence[SubmittedRun], out: Console, *, as_json: bool, batch_id: str | None = None
) -> None:
    """Print the runs that were put on the queue, and the id of their batch."""
    if as_json:
        runs = [{"run_id": r.run_id, "case": r.case_name, "created": r.created} for r in submitted]
        out.print_json(data={"batch_id": batch_id, "runs": runs})
        return
    for r in submitted:
        out.print(f"{r.run_id}  {escape(r.case_name)}" + ("" if r.created else "  [dim](already submitted)[/]"))
    if batch_id is not None:
        out.print(f"One batch: [cyan]qa-queue batch show {batch_id}[/]", soft_wrap=True)
    elif submitted:
        out.print(f"Follow it: [cyan]qa-queue watch {short_id(submitted[0].run_id)}[/]", soft_wrap=True)


def print_where(backend: Backend, submitted: Sequence[SubmittedRun], batch_id: str | None, out: Console) -> None:
    """Print the command that follows the runs from elsewhere and, where the pages are served here, their page."""
    run_id, port = submitted[0].run_id, backend.settings.qa_web_port
    command = f"qa-queue batch show {batch_id}" if batch_id else f"qa-queue watch {short_id(run_id)}"
    path = f"batches/{batch_id}" if batch_id else f"runs/{run_id}"
    out.print(f"[dim]Follow elsewhere:[/] [cyan]{command}[/]", soft_wrap=True, highlight=False)
    if is_served(port):
        out.print(f"[dim]Page:[/] http://127.0.0.1:{port}/{path}", soft_wrap=True, highlight=False)


def is_served(port: int) -> bool:
    """Return whether something listens on this port of loopback."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def warn_without_worker(backend: Backend, err: Console) -> None:
    """Print the command that starts a worker if none listens; the runs wait for one."""
    if backend.queues.get_queue_stats("test-execution")["test-execution"].workers == 0:
        text = (
            "note: no worker listens on test-execution, so the runs wait. Start one with `qa-queue up`, or "
            "`rq worker -w qa_queue.worker.QAWorker test-execution`."
        )
        shown = wrapped(text, err.width) if err.is_terminal else text
        err.print(shown.replace("note:", "[yellow]note:[/]", 1), soft_wrap=True, highlight=False)
