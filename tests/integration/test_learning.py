"""Learning from real rows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import processors.learning.processor
from processors.learning import LearningProcessor
from qa_queue.errors import NotFoundError
from qa_queue.local.process import LocalServer
from qa_queue.models import LearningJobResult, RunStatus, StepStatus
from qa_queue.store.memory import MemoryStore
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import CaseRecord, RunRecord, StepRecord
from qa_queue.store.supabase import SupabaseStore
from tests.support.records import NOON, case_record, finished_run, pattern_record, step_record
from tests.support.services import ProgressList, job_context, services


@pytest.fixture(params=["memory", "supabase"])
def store(request: pytest.FixtureRequest) -> Iterator[RunStore]:
    """Each store; every test learns from cases of its own."""
    if request.param == "memory":
        yield MemoryStore()
        return
    server: LocalServer = request.getfixturevalue("supabase")
    real = SupabaseStore(server.url, server.key)
    yield real
    real.close()


@pytest.fixture
def case(store: RunStore) -> CaseRecord:
    return store.save_cases([case_record()])[0]


def learn(store: RunStore, *case_ids: str, progress: ProgressList | None = None) -> LearningJobResult:
    given = services(store, Path("unused"))
    processor = LearningProcessor(given, job_context("adaptation-learning"))
    result = asyncio.run(processor.run({"test_case_ids": case_ids}))
    if progress is not None:
        assert isinstance(given.progress, ProgressList)
        progress.reports = given.progress.reports
    return LearningJobResult.model_validate(result)


def two_steps(run: RunRecord, *, css: bool, last: StepStatus = StepStatus.PASSED) -> list[StepRecord]:
    """A click whose text always finds the button and whose CSS may not, followed by an assertion."""
    matches: list[dict[str, Any]] = [
        {"locator": {"css": "#go"}, "count": int(css), "same": css},
        {"locator": {"text": "Go"}, "count": 1, "same": True},
    ]
    status = StepStatus.PASSED if css else StepStatus.ADAPTED
    return [step_record(run, 1, status=status, matches=matches), step_record(run, 2, status=last)]


def history(store: RunStore, case: CaseRecord) -> None:
    """Four runs that count, a day apart, newest first, and two that do not."""
    ends: list[tuple[RunStatus, bool, StepStatus, dict[str, Any]]] = [
        (RunStatus.COMPLETED, True, StepStatus.PASSED, {}),
        (RunStatus.ADAPTED, False, StepStatus.PASSED, {}),
        (RunStatus.ADAPTED, False, StepStatus.PASSED, {"flaky": True}),
        (RunStatus.FAILED, False, StepStatus.FAILED, {}),
        (RunStatus.CANCELLED, True, StepStatus.PASSED, {}),
        (RunStatus.DEAD, True, StepStatus.PASSED, {}),
    ]
    for day, (status, css, last, more) in enumerate(ends):
        run = finished_run(case, status, finished_at=NOON - timedelta(days=day), total_steps=2, **more)
        store.save([run, *two_steps(run, css=css, last=last)])


def test_the_figures_of_a_history(store: RunStore, case: CaseRecord) -> None:
    """Scores on the case, a row for each locator, and their number in the result."""
    history(store, case)
    result = learn(store, case.id)
    assert result == LearningJobResult(cases=1, runs=4, patterns=2, patterns_changed=2)
    learned = store.get_case(case.id)
    assert learned is not None
    weights = [2 ** (-day / 14) for day in range(4)]
    assert learned.reliability_score == pytest.approx(sum(weights[:3]) / sum(weights))
    assert learned.flake_rate == pytest.approx(weights[2] / sum(weights))
    assert (learned.runs_learned, learned.version) == (4, 1)
    best, other = store.list_patterns(case.id)
    assert (best.locator, best.tried, best.matched) == ({"text": "Go"}, 3, 3)
    assert (other.locator, other.tried, other.matched) == ({"css": "#go"}, 3, 1)
    assert best.confidence == pytest.approx(0.438503, abs=1e-6)
    assert other.confidence == pytest.approx(0.061492, abs=1e-6)


def test_learning_twice_changes_nothing(store: RunStore, case: CaseRecord) -> None:
    """The second job finds every figure unchanged, to the last digit."""
    history(store, case)
    learn(store, case.id)
    before = (store.get_case(case.id), store.list_patterns(case.id))
    assert learn(store, case.id) == LearningJobResult(cases=1, runs=4, patterns=2)
    assert (store.get_case(case.id), store.list_patterns(case.id)) == before


def test_learning_after_each_run_equals_learning_at_once(store: RunStore, case: CaseRecord) -> None:
    """Patterns that grew run by run equal those rebuilt from the rows."""
    for day in range(3):
        run = finished_run(case, finished_at=NOON + timedelta(days=day), total_steps=2)
        store.save([run, *two_steps(run, css=day > 0)])
        learn(store, case.id)
    grown = store.list_patterns(case.id)
    store.delete_patterns([pattern.id for pattern in grown])
    learn(store, case.id)
    assert store.list_patterns(case.id) == grown


def test_patterns_without_a_supporting_run_are_deleted(store: RunStore, case: CaseRecord) -> None:
    """Those from deleted runs, or of a locator that the case no longer has."""
    history(store, case)
    store.save([pattern_record(case, locator={"css": "#gone"})])
    assert learn(store, case.id).patterns_removed == 1
    assert {"css": "#gone"} not in [pattern.locator for pattern in store.list_patterns(case.id)]


def test_a_case_without_runs_that_count_is_left_alone(store: RunStore, case: CaseRecord) -> None:
    """Its figures and patterns stay unchanged."""
    pattern = pattern_record(case)
    store.save([pattern, finished_run(case, RunStatus.CANCELLED)])
    assert learn(store, case.id) == LearningJobResult(cases=1)
    assert store.get_case(case.id) == case
    assert store.list_patterns(case.id) == [pattern]


def test_an_unknown_case_is_named_and_nothing_is_written(store: RunStore, case: CaseRecord) -> None:
    """Not even for the cases that exist."""
    history(store, case)
    unknown = str(uuid4())
    with pytest.raises(NotFoundError, match=unknown):
        learn(store, case.id, unknown)
    assert store.get_case(case.id) == case


def test_every_run_is_read_page_by_page(store: RunStore, case: CaseRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures do not depend on the size of a page."""
    monkeypatch.setattr(processors.learning.processor, "RUNS_PER_PAGE", 2)
    history(store, case)
    assert learn(store, case.id).runs == 4


def test_all_cases_without_a_list_and_progress_by_case() -> None:
    """None means every case; reports go from 0 to 100 %."""
    store = MemoryStore()
    store.save([case_record(name=name) for name in ("a", "b")])
    given = services(store, Path("unused"))
    result = asyncio.run(LearningProcessor(given, job_context("adaptation-learning")).run({}))
    assert result["cases"] == 2
    assert isinstance(given.progress, ProgressList)
    assert [(r.percentage, r.message) for r in given.progress.reports[:2]] == [(0, "a"), (50, "b")]
    assert (given.progress.reports[-1].percentage, given.progress.reports[-1].status) == (100, RunStatus.COMPLETED)


def test_no_cases_mean_no_work() -> None:
    """An empty store, or an empty list, is finished at once."""
    progress = ProgressList()
    assert learn(MemoryStore(), progress=progress) == LearningJobResult()
    assert [report.percentage for report in progress.reports] == [100]
