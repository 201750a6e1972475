"""The read model of a pytest session, built from pytest's own reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from qa_queue.models.outcomes import Outcome
from qa_queue.reports.collect import environment
from qa_queue.reports.model import Report, Test, TestAttempt
from qa_queue.reports.phases import Phase, attempt_of, masked, moment, problem_of, tags_of
from qa_queue.reports.pytest_facts import Subtests, last_line, title_of, without_surrogates


class SessionCollector:
    """Gathers pytest's reports and turns them into a `Report`. `root` is where relative paths of files begin."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._attempts: dict[str, list[dict[str, Phase]]] = {}
        self._workers: dict[str, str] = {}
        self._broken: list[Test] = []
        self._subtests = Subtests()

    def add(self, report: Any) -> None:
        """Add the report of one phase; a second setup of a test begins its next attempt."""
        facts = self._subtests.facts_of(report)
        if facts is None:
            return
        attempts = self._attempts.setdefault(report.nodeid, [])
        if not attempts or report.when in attempts[-1]:
            attempts.append({})
        attempts[-1][report.when] = Phase(**facts)
        self._workers[report.nodeid] = getattr(report, "worker_id", "main")

    def add_collection_error(self, report: Any) -> None:
        """Add a file that could not be collected."""
        text = masked(without_surrogates(str(report.longrepr)))
        attempt = TestAttempt(number=1, outcome=Outcome.ERROR, duration_ms=0, sections={"Traceback": text})
        self._broken.append(
            Test(
                id=report.nodeid,
                name=report.nodeid,
                suite=report.nodeid,
                file=report.nodeid,
                outcome=Outcome.ERROR,
                error=last_line(text),
                error_kind="collection",
                attempts=(attempt,),
            )
        )

    def report(self, title: str, now: datetime) -> Report:
        """Return the report of everything that was added."""
        tests = (*self._broken, *(self._test(node_id, tries) for node_id, tries in self._attempts.items()))
        return Report(title=title, kind="session", created_at=now, environment=environment(), tests=tests)

    def _test(self, node_id: str, tries: Sequence[dict[str, Phase]]) -> Test:
        attempts = tuple(attempt_of(number, phases, self._root) for number, phases in enumerate(tries, 1))
        outcome = attempts[-1].outcome
        if outcome is Outcome.PASSED and any(attempt.outcome.bad for attempt in attempts):
            outcome = Outcome.FLAKY
        file = node_id.partition("::")[0]
        phases = [phase for one in tries for phase in one.values()]
        kind, message = problem_of(tries[-1])
        return Test(
            id=node_id,
            name=title_of(node_id),
            suite=file,
            file=file,
            tags=tags_of(tries[-1]),
            outcome=outcome,
            error=message,
            error_kind=kind if outcome.bad else None,
            worker=self._workers[node_id],
            started_at=moment(min(phase.start for phase in phases)),
            finished_at=moment(max(phase.stop for phase in phases)),
            duration_ms=sum(attempt.duration_ms for attempt in attempts),
            attempts=attempts,
        )
