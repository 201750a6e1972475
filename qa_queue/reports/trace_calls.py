"""Calls and checks of Playwright as steps of a pytest test, read from the trace that was kept of it."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from qa_queue.models.outcomes import Outcome
from qa_queue.reports.model import ReportStep, TestAttempt

MOST_CALLS = 300  # of one attempt
_HIDDEN = frozenset(
    {"Tracing", "Artifact", "LocalUtils", "EventTarget"}
)  # classes whose calls say nothing of the test
_LOCATOR = re.compile(r"^waiting for (?!element to be|fonts|navigation)(?P<locator>.+)$")
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of Playwright: its name with the locator or address, its time, and its error."""

    name: str
    started_at: datetime
    duration_ms: int
    error: str | None = None


def with_calls(attempt: TestAttempt) -> TestAttempt:
    """Return the attempt with the calls of its traces after the phase in which each was made.

    A trace that is missing or damaged adds none.
    """
    paths = [Path(file.path) for file in attempt.evidence if file.kind == "trace" and file.path is not None]
    calls = sorted((call for path in paths for call in read_calls(path)), key=lambda call: call.started_at)
    if not calls or all(step.started_at is None for step in attempt.steps):
        return attempt
    return attempt.model_copy(update={"steps": tuple(_placed(attempt.steps, calls[:MOST_CALLS]))})


def _placed(steps: Sequence[ReportStep], calls: Iterable[Call]) -> Iterator[ReportStep]:
    """Yield the steps, and after those of each phase its calls, numbered as `2.t1`."""
    phases = [step for step in steps if step.started_at is not None]
    within: dict[str, list[Call]] = {step.position: [] for step in phases}
    for call in calls:
        begun = [step for step in phases if step.started_at is not None and step.started_at <= call.started_at]
        within[(begun or phases)[-1 if begun else 0].position].append(call)
    for number, step in enumerate(steps):
        yield step
        following = steps[number + 1] if number + 1 < len(steps) else None
        if following is None or following.started_at is not None:
            phase = next(one for one in reversed(steps[: number + 1]) if one.started_at is not None)
            yield from (_step(phase.position, at, call) for at, call in enumerate(within[phase.position], 1))


def _step(phase: str, number: int, call: Call) -> ReportStep:
    return ReportStep(
        position=f"{phase}.t{number}",
        name=call.name,
        outcome=Outcome.FAILED if call.error else Outcome.PASSED,
        duration_ms=call.duration_ms,
        error=call.error,
    )


def read_calls(path: Path) -> list[Call]:
    """Return the calls in a trace, oldest first; none of a file that is not a trace."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".trace")]
            return [call for name in names for call in _calls(archive.read(name).decode("utf-8", "replace"))]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return []


def _calls(text: str) -> Iterator[Call]:
    events: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    start = next((one for one in events if one["type"] == "context-options"), None)
    if start is None:
        return
    zero = datetime.fromtimestamp(start["wallTime"] / 1000, UTC) - timedelta(milliseconds=start["monotonicTime"])
    ends = {one["callId"]: one for one in events if one["type"] == "after"}
    logs: dict[str, str] = {}
    for one in events:
        found = _LOCATOR.match(str(one.get("message", "")).strip()) if one["type"] == "log" else None
        if found:
            logs.setdefault(one["callId"], found["locator"])
    for one in events:
        if one["type"] == "before" and one.get("class") not in _HIDDEN:
            end = ends.get(one["callId"], {})
            yield Call(
                name=_name(one, logs.get(one["callId"])),
                started_at=zero + timedelta(milliseconds=one["startTime"]),
                duration_ms=max(0, round(end.get("endTime", one["startTime"]) - one["startTime"])),
                error=str(end["error"].get("message", "failed")) if end.get("error") else None,
            )


def _name(event: dict[str, Any], locator: str | None) -> str:
    title = event.get("title") or _CAPITAL.sub("_", str(event.get("method", "call"))).lower()
    subject = locator or event.get("params", {}).get("url")
    return f"{title} {subject}" if subject else str(title)
