"""Build the report of runs from the rows of the store and the files in the artifacts folder."""

from __future__ import annotations

import json
import platform
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from qa_queue import __version__
from qa_queue.errors import NotFoundError
from qa_queue.models import ArtifactKind, RunStatus, StepStatus
from qa_queue.reports.model import (
    Adaptation,
    CheckComparison,
    Evidence,
    LogEntry,
    Outcome,
    Report,
    ReportStep,
    Test,
    TestAttempt,
)
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import AdaptationRow, ArtifactRecord, CaseRecord, RunRecord, StepRecord

MOST_RUNS = 10_000
_ROWS_OF_RUNS = 100  # runs whose rows are read in one call
_LOG_ENTRIES = 200  # of one attempt, the newest
_Row = TypeVar("_Row", StepRecord, ArtifactRecord, AdaptationRow)

_COMPARED = re.compile(r"^expected (?P<expected>.*), found (?P<actual>.*?) in \d+ ms(?: on .*)?$", re.DOTALL)
_RUN_OUTCOMES = {
    RunStatus.COMPLETED: Outcome.PASSED,
    RunStatus.ADAPTED: Outcome.ADAPTED,
    RunStatus.FAILED: Outcome.FAILED,
    RunStatus.TIMED_OUT: Outcome.TIMED_OUT,
    RunStatus.DEAD: Outcome.ERROR,
    RunStatus.CANCELLED: Outcome.CANCELLED,
    RunStatus.QUEUED: Outcome.UNFINISHED,
    RunStatus.RUNNING: Outcome.UNFINISHED,
}
_STEP_OUTCOMES = {
    StepStatus.PASSED: Outcome.PASSED,
    StepStatus.ADAPTED: Outcome.ADAPTED,
    StepStatus.FAILED: Outcome.FAILED,
    StepStatus.SKIPPED: Outcome.SKIPPED,
}


def report_of_run(store: RunStore, artifacts: Path, run_id: str, now: datetime) -> Report:
    """Return the report of one run.

    Raises:
        NotFoundError: there is no run with this id.
    """
    run = store.get_run(run_id)
    if run is None:
        raise NotFoundError(f"There is no run {run_id}: it was never submitted, or was cleaned up.")
    tests = _tests(store, artifacts, [run])
    return _report("run", run_id, tests[0].name, tests, now)


def report_of_batch(store: RunStore, artifacts: Path, batch_id: str, now: datetime) -> Report:
    """Return the report of all runs of a batch, in the order in which they were queued.

    Raises:
        NotFoundError: no run belongs to the batch.
    """
    runs = store.list_runs(batch_id=batch_id, limit=MOST_RUNS, oldest_first=True)
    if not runs:
        raise NotFoundError(f"No run belongs to batch {batch_id}: it was never submitted, or was cleaned up.")
    return _report("batch", batch_id, f"Batch {batch_id[:8]}", _tests(store, artifacts, runs), now)


def environment() -> dict[str, str]:
    """Return the versions that matter for a reader of a report."""
    return {"qa-queue": __version__, "python": platform.python_version(), "platform": platform.platform(terse=True)}


def _report(kind: str, id_: str, title: str, tests: Sequence[Test], now: datetime) -> Report:
    starts = [test.started_at for test in tests if test.started_at]
    ends = [test.finished_at for test in tests if test.finished_at]
    urls = sorted({test.base_url for test in tests if test.base_url})
    return Report.model_validate(
        {
            "title": title,
            "kind": kind,
            "id": id_,
            "created_at": now,
            "started_at": min(starts, default=None),
            "finished_at": max(ends, default=None),
            "environment": environment() | ({"hosts": ", ".join(urls[:10])} if urls else {}),
            "tests": tuple(tests),
        }
    )


def _tests(store: RunStore, artifacts: Path, runs: Sequence[RunRecord]) -> list[Test]:
    cases = {case.id: case for case in _cases(store, {run.test_case_id for run in runs})}
    tests: list[Test] = []
    for start in range(0, len(runs), _ROWS_OF_RUNS):
        part = runs[start : start + _ROWS_OF_RUNS]
        ids = [run.id for run in part]
        steps = _by_run(store.list_steps(ids))
        files = _by_run(store.list_artifacts(ids))
        healed = _by_run(store.list_adaptations(ids))
        tests += [
            _test(run, cases.get(run.test_case_id), steps[run.id], files[run.id], healed[run.id], artifacts)
            for run in part
        ]
    return tests


def _cases(store: RunStore, ids: set[str]) -> Iterable[CaseRecord]:
    if len(ids) > 20:
        return [case for case in store.list_cases() if case.id in ids]
    return [case for case in (store.get_case(one) for one in ids) if case is not None]


def _by_run(rows: Sequence[_Row]) -> Mapping[str, list[_Row]]:
    found: defaultdict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        found[row.test_run_id].append(row)
    return found


def _test(
    run: RunRecord,
    case: CaseRecord | None,
    steps: Sequence[StepRecord],
    files: Sequence[ArtifactRecord],
    healed: Sequence[AdaptationRow],
    artifacts: Path,
) -> Test:
    numbers = sorted({step.attempt for step in steps} | {file.attempt for file in files}) or (
        [run.attempt] if run.attempt else []
    )
    outcome = Outcome.FLAKY if run.flaky and run.status.good else _RUN_OUTCOMES[run.status]
    return Test(
        id=run.id,
        name=case.name if case else run.test_case_id,
        suite=Path(case.source).name if case and case.source else "",
        tags=case.tags if case else (),
        outcome=outcome,
        error=run.error,
        error_kind=run.error_kind.value if run.error_kind else None,
        worker=run.worker,
        base_url=run.base_url,
        queued_at=run.queued_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        duration_ms=run.running_ms or 0,
        notes=run.notes,
        attempts=tuple(
            _attempt(
                number,
                _RUN_OUTCOMES[run.status] if number == numbers[-1] else Outcome.FAILED,
                [step for step in steps if step.attempt == number],
                [file for file in files if file.attempt == number],
                {row.step_number: row for row in healed if row.attempt == number},
                artifacts,
            )
            for number in numbers
        ),
    )


def _attempt(
    number: int,
    outcome: Outcome,
    steps: Sequence[StepRecord],
    files: Sequence[ArtifactRecord],
    healed: Mapping[int, AdaptationRow],
    artifacts: Path,
) -> TestAttempt:
    positions = {step.number: _position(step) for step in steps}
    console = next((file for file in files if file.kind is ArtifactKind.CONSOLE), None)
    return TestAttempt(
        number=number,
        outcome=outcome,
        duration_ms=sum(step.duration_ms for step in steps),
        steps=tuple(_step(step, healed.get(step.number)) for step in steps),
        log=_log(artifacts / console.path) if console else (),
        evidence=tuple(_evidence(file, positions, artifacts) for file in files),
    )


def _step(row: StepRecord, healed: AdaptationRow | None) -> ReportStep:
    return ReportStep(
        position=_position(row),
        name=row.name,
        outcome=_STEP_OUTCOMES[row.status],
        duration_ms=row.duration_ms,
        error=row.error,
        comparison=compared(row.error),
        adaptation=_adaptation(healed) if healed else None,
    )


def _position(row: StepRecord) -> str:
    return str(row.number)


def compared(error: str | None) -> CheckComparison | None:
    """Return the two sides of a failed check's message, or None if the message is of another kind."""
    found = _COMPARED.match(error) if error else None
    return CheckComparison(expected=found["expected"], actual=found["actual"]) if found else None


def _adaptation(row: AdaptationRow) -> Adaptation:
    return Adaptation(
        reason=row.reason,
        old=row.old_target,
        new=row.new_target,
        score=row.score,
        summary=str((row.evidence or {}).get("summary", "")),
        status=row.status,
    )


def _evidence(row: ArtifactRecord, positions: Mapping[int, str], artifacts: Path) -> Evidence:
    path = artifacts / row.path
    return Evidence(
        kind=row.kind.value,
        name=row.name,
        content_type=row.content_type,
        size_bytes=row.size_bytes,
        attempt=row.attempt,
        step=positions.get(row.step_number) if row.step_number is not None else None,
        path=str(path) if path.is_file() else None,
    )


def _log(path: Path) -> tuple[LogEntry, ...]:
    """Return the newest entries of a console artifact; a file that is missing or damaged gives none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[-_LOG_ENTRIES:]
        return tuple(
            LogEntry(type=entry["type"], text=entry["text"], level=entry.get("level"), source=entry.get("source"))
            for entry in map(json.loads, lines)
        )
    except (OSError, ValueError, KeyError):
        return ()
