"""Build the report of runs from the rows of the store and the files in the artifacts folder."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from qa_queue import __version__
from qa_queue.models.outcomes import STATUSES, Outcome
from qa_queue.models.results import run_title
from qa_queue.reports.model import Adaptation, CheckComparison, LogEntry, Report, ReportStep, Test, TestAttempt
from qa_queue.reports.rows import EvidencePlace, RunRows, by_run
from qa_queue.reports.suite_rows import suite_tests
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import AdaptationRow, CaseRecord, RunRecord, StepRecord

_ROWS_OF_RUNS = 100  # runs whose rows are read in one call
_LOG_ENTRIES = 200  # of one attempt, the newest

_COMPARED = re.compile(r"^expected (?P<expected>.*), found (?P<actual>.*?) in \d+ ms(?: on .*)?$", re.DOTALL)


def report_of_runs(
    store: RunStore,
    place: EvidencePlace,
    runs: Sequence[RunRecord],
    *,
    kind: Literal["run", "batch"],
    id_: str,
    title: str | None = None,
    now: datetime,
) -> Report:
    """Return the report of these runs, in this order; without a title, that of the first test."""
    tests = _tests(store, place, runs)
    urls = sorted({test.base_url for test in tests if test.base_url})
    return Report(
        title=title or tests[0].name,
        kind=kind,
        id=id_,
        created_at=now,
        environment=environment() | ({"hosts": ", ".join(urls[:10])} if urls else {}),
        tests=tuple(tests),
    )


def environment() -> dict[str, str]:
    """Return the versions that matter for a reader of a report."""
    return {"qa-queue": __version__, "python": platform.python_version(), "platform": platform.platform(terse=True)}


def _tests(store: RunStore, place: EvidencePlace, runs: Sequence[RunRecord]) -> list[Test]:
    cases = {case.id: case for case in _cases(store, {run.test_case_id for run in runs})}
    tests: list[Test] = []
    for start in range(0, len(runs), _ROWS_OF_RUNS):
        part = runs[start : start + _ROWS_OF_RUNS]
        ids = [run.id for run in part]
        steps = by_run(store.list_steps(ids))
        files = by_run(store.list_artifacts(ids))
        healed = by_run(store.list_adaptations(ids))
        for run in part:
            rows = RunRows(run, cases.get(run.test_case_id), steps[run.id], files[run.id], healed[run.id], place)
            tests += suite_tests(rows) if rows.of_suite else [_test(rows)]
    return tests


def _cases(store: RunStore, ids: set[str]) -> Iterable[CaseRecord]:
    if len(ids) > 20:
        return [case for case in store.list_cases() if case.id in ids]
    return [case for case in (store.get_case(one) for one in ids) if case is not None]


def _test(rows: RunRows) -> Test:
    run, case, numbers = rows.run, rows.case, rows.attempts
    outcome = STATUSES[run.status].outcome
    return Test(
        id=run.id,
        name=run_title(case.name, run.data_row) if case else run.test_case_id,
        suite=Path(case.source).name if case and case.source else "",
        file=case.source if case else None,
        tags=case.tags if case else (),
        outcome=Outcome.FLAKY if run.flaky and run.status.good else outcome,
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
            _attempt(rows, number, outcome if number == numbers[-1] else Outcome.FAILED) for number in numbers
        ),
    )


def _attempt(rows: RunRows, number: int, outcome: Outcome) -> TestAttempt:
    console = rows.console(number)
    steps = [step for step in rows.steps if step.attempt == number]
    healed = {row.step_number: row for row in rows.healed if row.attempt == number}
    return TestAttempt(
        number=number,
        outcome=outcome,
        duration_ms=sum(step.duration_ms for step in steps),
        steps=tuple(_step(step, healed.get(step.number)) for step in steps),
        log=_log([entry for entry in console if entry.get("type") != "snapshot"]),
        snapshot=next((str(one.get("text")) for one in reversed(console) if one.get("type") == "snapshot"), None),
        evidence=rows.evidence(number),
    )


def _step(row: StepRecord, healed: AdaptationRow | None) -> ReportStep:
    return ReportStep(
        position=row.place,
        source=row.source,
        name=row.title,
        outcome=row.outcome,
        duration_ms=row.duration_ms,
        error=row.error,
        notes=row.notes,
        comparison=compared(row.error),
        adaptation=_adaptation(healed) if healed else None,
    )


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


def _log(entries: Sequence[Mapping[str, str]]) -> tuple[LogEntry, ...]:
    """Return the newest entries of a console artifact; one that is damaged gives none."""
    try:
        return tuple(
            LogEntry(type=entry["type"], text=entry["text"], level=entry.get("level"), source=entry.get("source"))
            for entry in entries[-_LOG_ENTRIES:]
        )
    except KeyError:
        return ()
