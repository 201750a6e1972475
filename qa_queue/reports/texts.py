"""Text formats: `--brief` for a terminal or a coding agent, and GitHub's step summary and annotations."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from qa_queue.models.outcomes import Outcome, count_label
from qa_queue.reports.causes import group
from qa_queue.reports.model import LogEntry, Report, Test, TestAttempt

BRIEF_BYTES = 2_048  # of one failure
_SNAPSHOT_LINES = 25
_LOG_LINES = 5
_SUMMARY_ROWS = 50
_NOTES = 20  # of all tests together, in a text
_MARKS = {
    Outcome.PASSED: "✅",
    Outcome.ADAPTED: "🩹",
    Outcome.FLAKY: "⚠️",
    Outcome.FAILED: "❌",
    Outcome.TIMED_OUT: "⏱️",
    Outcome.ERROR: "💥",
}


def brief(report: Report) -> str:
    """Return one line of totals, then each failure in at most `BRIEF_BYTES` bytes of UTF-8."""
    head = f"{report.title}: {totals(report)}"
    return "\n\n".join([head, *(_brief_failure(test) for test in report.failures), *_notes(report, str)]) + "\n"


def _notes(report: Report, mark: Callable[[str], str]) -> list[str]:
    """Return a line for each of the first notes of the tests."""
    noted = [f"note: {mark(test.name)}: {mark(note)}" for test in report.tests for note in test.notes]
    more = len(noted) - _NOTES
    return noted[:_NOTES] + ([f"note: {more} more notes are in the full report"] if more > 0 else [])


def totals(report: Report) -> str:
    """Return the counts as text, such as `12 passed, 1 failed of 13 tests`."""
    counts = ", ".join(count_label(number, Outcome(name).label) for name, number in report.counts.items())
    number = len(report.tests)
    return f"{counts or 'none'} of {number} test{'' if number == 1 else 's'}"


def _brief_failure(test: Test) -> str:
    step = test.failed_step
    attempt = test.attempts[-1] if test.attempts else None
    parts = [f"{test.outcome.label.upper()} {test.name}" + (f" ({test.suite})" if test.suite else "")]
    if step is not None:
        parts.append(f"step {step.place}: {step.name}")
    parts.append((step.error if step and step.error else test.error) or "no message")
    if step is not None and step.comparison is not None:
        parts.append(f"expected: {step.comparison.expected}\nactual:   {step.comparison.actual}")
    parts += _brief_evidence(attempt) if attempt else []
    parts.append(f"run {test.id}")
    return _cut("\n".join(parts), BRIEF_BYTES)


def _brief_evidence(attempt: TestAttempt) -> list[str]:
    parts: list[str] = []
    requests = [f"  {entry.text}" for entry in attempt.log if entry.type in ("request", "response")]
    console = [entry for entry in attempt.log if _is_problem(entry)]
    others = [f"  {entry.level or entry.type}: {entry.text}" for entry in console]
    for title, lines in (("requests that failed:", requests), ("console:", others)):
        if lines:
            parts.append("\n".join([title, *lines[-_LOG_LINES:]]))
    if attempt.snapshot:
        parts.append("\n".join(["page:", *attempt.snapshot.splitlines()[:_SNAPSHOT_LINES]]))
    return parts


def _is_problem(entry: LogEntry) -> bool:
    return entry.level in ("error", "warning") or entry.type in ("pageerror", "dialog", "crash")


def _cut(text: str, most: int) -> str:
    data = text.encode()
    return text if len(data) <= most else data[: most - 4].decode(errors="ignore") + " …"


def github_summary(report: Report) -> str:
    """Return the report as Markdown for `$GITHUB_STEP_SUMMARY`."""
    lines = [f"### {_md(report.title)}: {report.outcome.label}", "", totals(report), ""]
    for cause in group(report.failures):
        number = len(cause.tests)
        lines += [f"<details><summary>{_html(cause.title)} ({number})</summary>", ""]
        lines += [f"- {_md(test.name)}" for test in cause.tests[:_SUMMARY_ROWS]]
        lines += ["", "</details>", ""]
    lines += ["| test | outcome | time |", "|---|---|---|"]
    rows = sorted(report.tests, key=lambda test: (not test.outcome.bad, -test.duration_ms))
    lines += [_row(test) for test in rows[:_SUMMARY_ROWS]]
    if len(rows) > _SUMMARY_ROWS:
        lines += ["", f"{len(rows) - _SUMMARY_ROWS} more tests are in the full report."]
    lines += ["", *(f"- {note}" for note in _notes(report, _md))]
    return "\n".join(lines).rstrip() + "\n"


def _row(test: Test) -> str:
    mark = _MARKS.get(test.outcome, "")
    return f"| {_md(test.name)} | {mark} {test.outcome.label} | {test.duration_ms / 1000:.1f} s |"


def github_annotations(failures: Sequence[Test], folder: Path) -> str:
    """Return one `::error` workflow command for each failure, at its line if its file is in `folder`, the checkout.

    Escaping as GitHub's workflow commands define it: `%`, carriage return and line feed are percent-encoded.
    """
    return "".join(
        f"::error {_place(test, folder)}title={_property(test.name)}::{_data(test.error or test.outcome.label)}\n"
        for test in failures
    )


def _place(test: Test, folder: Path) -> str:
    """Return the properties of a place in the checkout; nothing for a file that is not in it."""
    if not test.file or not (folder / test.file).is_file():
        return ""
    path = Path(os.path.relpath(folder / test.file, folder)).as_posix()
    if path.startswith("../"):
        return ""
    line = f"line={test.failed_line}," if test.failed_line else ""
    return f"file={_property(path)},{line}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _md(text: str) -> str:
    flat = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|~" else c for c in flat)


def _html(text: str) -> str:
    flat = " ".join(text.split())
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
