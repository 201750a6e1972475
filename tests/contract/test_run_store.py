"""The contract of every `RunStore`, tested in memory and on a real Supabase."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest

from qa_queue.errors import RowRefusedError, StoreError
from qa_queue.models import ErrorKind, RunStatus, StepStatus
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import CaseKnowledge, CaseRecord, RowCounts, RunPlace, RunRecord
from tests.support.records import (
    NOON,
    adaptation_row,
    artifact_record,
    case_record,
    fingerprint_record,
    finished_run,
    pattern_record,
    run_record,
    step_record,
    verdict_record,
)

UNKNOWN_ID = "5e0a7b1c-3f52-4d0e-9a55-2f4f8a1f7c11"


def saved_case(store: RunStore, **overrides: object) -> CaseRecord:
    return store.save_cases([case_record(**overrides)])[0]


def saved_run(store: RunStore, **overrides: object) -> RunRecord:
    run = run_record(saved_case(store), **overrides)
    store.save([run])
    return run


def test_a_complete_store_passes_its_own_check(store: RunStore) -> None:
    """With every table there, `check` has nothing to say."""
    assert store.check() is None


class TestCases:
    def test_a_new_case_is_stored_as_version_one(self, store: RunStore) -> None:
        """The stored case has what was given, version 1 and its times."""
        given = case_record(tags=("smoke", 'odd, "tag"'), source="cases/login.yaml")
        stored = store.save_cases([given])[0]
        assert stored == store.get_case(given.id)
        assert stored.model_copy(update={"created_at": None, "updated_at": None}) == given
        assert stored.created_at is not None
        assert stored.updated_at is not None

    def test_the_same_content_changes_nothing(self, store: RunStore) -> None:
        """Saving a case again leaves the row as it was."""
        stored = saved_case(store)
        assert store.save_cases([stored]) == [stored]

    def test_other_content_is_the_next_version(self, store: RunStore) -> None:
        """A changed definition is stored and counted; a version that the caller made up is not."""
        first = saved_case(store)
        changed = case_record(key=first.key, definition={"name": "changed"}, version=9)
        second = store.save_cases([changed])[0]
        assert (second.version, second.definition) == (2, {"name": "changed"})
        assert second.created_at == first.created_at

    def test_what_was_learned_survives_saving_and_new_versions(self, store: RunStore) -> None:
        """The scores of a case are not the caller's to overwrite."""
        case = saved_case(store)
        store.save_learned(case.id, reliability_score=0.75, flake_rate=0.25, runs_learned=8)
        again = store.save_cases([case_record(key=case.key, definition={"name": "b"}, runs_learned=0)])[0]
        assert (again.version, again.reliability_score, again.flake_rate, again.runs_learned) == (2, 0.75, 0.25, 8)

    def test_learning_is_not_a_new_version(self, store: RunStore) -> None:
        """Setting the scores leaves the definition, the version and its time alone."""
        case = saved_case(store)
        store.save_learned(case.id, reliability_score=1.0, flake_rate=0.0, runs_learned=1)
        scores = {"reliability_score": 1.0, "flake_rate": 0.0, "runs_learned": 1}
        assert store.get_case(case.id) == case.model_copy(update=scores)

    def test_lines_of_steps_change_without_a_new_version(self, store: RunStore) -> None:
        """An empty line in the file moves the steps after it; the case is the same."""
        first = saved_case(store, step_lines={"": (2, 3)})
        moved = case_record(key=first.key, definition=first.definition, step_lines={"": (2, None), "a.yaml": (7,)})
        (again,) = store.save_cases([moved])
        assert (again.version, again.updated_at) == (1, first.updated_at)
        assert again.step_lines == {"": (2, None), "a.yaml": (7,)}
        assert store.get_case(first.id) == again

    def test_cases_come_back_in_the_order_given(self, store: RunStore) -> None:
        """One stored case for each one given, whatever order they were written in."""
        cases = [case_record() for _ in range(5)]
        assert [case.id for case in store.save_cases(cases)] == [case.id for case in cases]

    def test_no_cases_mean_no_work(self, store: RunStore) -> None:
        """An empty list is stored as nothing."""
        assert store.save_cases([]) == []

    def test_writers_at_once_lose_no_version(self, store: RunStore) -> None:
        """Eight writers with contents of their own make eight versions more."""
        case = saved_case(store)
        contents = [case_record(key=case.key, definition={"name": str(n)}) for n in range(8)]
        with ThreadPoolExecutor(8) as pool:
            versions = list(pool.map(lambda one: store.save_cases([one])[0].version, contents))
        assert sorted(versions) == list(range(2, 10))

    def test_writers_of_the_same_content_make_one_version(self, store: RunStore) -> None:
        """Eight writers with one new content make one version of it."""
        case = saved_case(store)
        new = case_record(key=case.key, definition={"name": "new"})
        with ThreadPoolExecutor(8) as pool:
            versions = set(pool.map(lambda _: store.save_cases([new])[0].version, range(8)))
        assert versions == {2}

    def test_cases_are_listed_by_name(self, store: RunStore) -> None:
        """Names decide the order, capital letters first as in Unicode."""
        mark = str(uuid4())
        store.save_cases([case_record(name=f"{mark} {name}") for name in ("b", "a", "C")])
        assert [case.name[-1] for case in store.list_cases() if case.name.startswith(mark)] == ["C", "a", "b"]

    @pytest.mark.parametrize("unknown", [UNKNOWN_ID, "no uuid", ""])
    def test_an_unknown_case_is_none(self, store: RunStore, unknown: str) -> None:
        """No row, no error, whatever the id looks like."""
        assert store.get_case(unknown) is None


class TestRuns:
    def test_a_run_comes_back_as_it_was_saved(self, store: RunStore) -> None:
        """Every field survives the way there and back."""
        run = saved_run(
            store,
            status=RunStatus.FAILED,
            job_id="job",
            user_id="ann",
            priority=20,
            attempt=2,
            flaky=True,
            total_steps=3,
            completed_steps=1,
            failed_steps=1,
            adapted_steps=1,
            error="Ümläut 'quotes' 😀\nline",
            error_kind=ErrorKind.ASSERTION,
            config={"viewport": {"width": 1280}, "list": [1, 2.5, None, True]},
            base_url="http://127.0.0.1:8080",
            worker="w1",
            started_at=NOON,
            finished_at=NOON + timedelta(microseconds=1),
            waiting_ms=0,
            starting_ms=2**40,
            running_ms=3,
        )
        assert store.get_run(run.id) == run

    def test_changes_leave_the_other_columns_alone(self, store: RunStore) -> None:
        """An update names columns; the rest stays."""
        run = saved_run(store, worker="w1")
        store.update_run(run.id, status=RunStatus.RUNNING, started_at=NOON, attempt=1)
        assert store.get_run(run.id) == run.model_copy(
            update={"status": RunStatus.RUNNING, "started_at": NOON, "attempt": 1}
        )

    @pytest.mark.parametrize("ended", [status for status in RunStatus if status.final])
    def test_an_ended_run_keeps_its_status(self, store: RunStore, ended: RunStatus) -> None:
        """A late report of another status changes nothing, however it is sent."""
        run = saved_run(store, status=ended, error="first")
        other = RunStatus.FAILED if ended is not RunStatus.FAILED else RunStatus.COMPLETED
        store.update_run(run.id, status=other, error="late")
        store.update_run(run.id, status=RunStatus.RUNNING, worker="late")
        store.save([run.model_copy(update={"status": RunStatus.QUEUED, "error": "late"})])
        assert store.get_run(run.id) == run

    def test_an_ended_run_takes_other_changes(self, store: RunStore) -> None:
        """Facts that arrive with the same status, or without one, are kept."""
        run = saved_run(store, status=RunStatus.CANCELLED)
        store.update_run(run.id, status=RunStatus.CANCELLED, running_ms=5)
        store.update_run(run.id, worker="w2")
        assert store.get_run(run.id) == run.model_copy(update={"running_ms": 5, "worker": "w2"})

    @pytest.mark.parametrize("ended", [status for status in RunStatus if status.final])
    def test_only_the_next_requeue_revives_a_run(self, store: RunStore, ended: RunStatus) -> None:
        """A dead, failed or timed-out run lives again by the requeue that counts on; another does nothing."""
        run = saved_run(store, status=ended, error="first")
        store.update_run(run.id, status=RunStatus.QUEUED, requeues=2, error="not the next")
        assert store.get_run(run.id) == run
        store.update_run(run.id, status=RunStatus.QUEUED, requeues=1, error=None)
        revived = ended in (RunStatus.DEAD, RunStatus.FAILED, RunStatus.TIMED_OUT)
        again = run.model_copy(update={"status": RunStatus.QUEUED, "requeues": 1, "error": None})
        assert store.get_run(run.id) == (again if revived else run)
        store.update_run(run.id, status=ended, error="second")
        store.update_run(run.id, status=RunStatus.QUEUED, requeues=1, error="late")
        stored = store.get_run(run.id)
        assert stored is not None
        assert (stored.status, stored.error) == (ended, "second")

    def test_a_whole_row_of_the_first_submission_does_not_forget_the_requeues(self, store: RunStore) -> None:
        """The counter of requeues never goes back."""
        run = saved_run(store, status=RunStatus.DEAD)
        store.update_run(run.id, status=RunStatus.QUEUED, requeues=1)
        store.save([run.model_copy(update={"status": RunStatus.RUNNING})])
        stored = store.get_run(run.id)
        assert stored is not None
        assert (stored.status, stored.requeues) == (RunStatus.RUNNING, 1)

    def test_an_earlier_execution_does_not_write_over_a_later_one(self, store: RunStore) -> None:
        """Writes of the first owner of a run after it was taken over are dropped whole, however they are sent."""
        run = saved_run(store)
        store.update_run(run.id, status=RunStatus.RUNNING, fence=1, worker="first")
        store.update_run(run.id, fence=2, worker="second")
        store.update_run(run.id, status=RunStatus.COMPLETED, fence=1, worker="first")
        store.save([run.model_copy(update={"status": RunStatus.COMPLETED, "fence": 1})])
        taken_over = run.model_copy(update={"status": RunStatus.RUNNING, "fence": 2, "worker": "second"})
        assert store.get_run(run.id) == taken_over
        store.update_run(run.id, status=RunStatus.COMPLETED, fence=2)
        assert store.get_run(run.id) == taken_over.model_copy(update={"status": RunStatus.COMPLETED})

    def test_a_requeued_run_begins_a_new_life(self, store: RunStore) -> None:
        """Its executions may count from 1 again."""
        run = saved_run(store, status=RunStatus.DEAD, fence=3)
        store.update_run(run.id, status=RunStatus.QUEUED, requeues=1)
        store.update_run(run.id, status=RunStatus.RUNNING, fence=1)
        again = run.model_copy(update={"status": RunStatus.RUNNING, "fence": 1, "requeues": 1})
        assert store.get_run(run.id) == again

    def test_of_many_ends_one_wins_whole(self, store: RunStore) -> None:
        """Two workers that end a run at once cannot mix their words."""
        run = saved_run(store, status=RunStatus.RUNNING)
        ends = [(RunStatus.FAILED, "failed"), (RunStatus.TIMED_OUT, "timed out"), (RunStatus.DEAD, "dead")]
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda end: store.update_run(run.id, status=end[0], error=end[1]), ends))
        stored = store.get_run(run.id)
        assert stored is not None
        assert (stored.status, stored.error) in ends

    def test_a_change_of_no_column_is_refused(self, store: RunStore) -> None:
        """A field that the table has not is named."""
        run = saved_run(store)
        with pytest.raises(StoreError, match="test_runs has no column 'colour'"):
            store.update_run(run.id, colour="red")

    @pytest.mark.parametrize("fields", [{"status": "nonsense"}, {"attempt": "many"}, {"queued_at": None}])
    def test_a_value_that_a_column_cannot_have_is_refused(self, store: RunStore, fields: dict[str, object]) -> None:
        """The row stays as it was."""
        run = saved_run(store)
        with pytest.raises(RowRefusedError, match="refused"):
            store.update_run(run.id, **fields)
        assert store.get_run(run.id) == run

    @pytest.mark.parametrize("unknown", [UNKNOWN_ID, "no uuid"])
    def test_an_unknown_run_is_left_alone(self, store: RunStore, unknown: str) -> None:
        """Updating, deleting and asking find nothing and say so without an error."""
        store.update_run(unknown, attempt=1)
        assert store.get_run(unknown) is None
        assert store.delete_runs([unknown]) == 0
        assert store.list_steps([unknown]) == []
        assert store.list_runs(case_ids=[unknown]) == []


class TestListingRuns:
    @pytest.fixture
    def runs(self, store: RunStore) -> list[RunRecord]:
        """Five runs of a case, oldest first; two were queued at the same moment."""
        case = saved_case(store)
        ages = [(5, RunStatus.COMPLETED), (4, RunStatus.FAILED), (4, RunStatus.COMPLETED), (1, RunStatus.ADAPTED)]
        runs = [finished_run(case, status, finished_at=NOON - timedelta(days=age)) for age, status in ages]
        runs.append(run_record(case, status=RunStatus.RUNNING, queued_at=NOON))
        store.save(runs)
        return sorted(runs, key=lambda run: (run.queued_at, run.id))

    def test_newest_first_is_the_rule(self, store: RunStore, runs: list[RunRecord]) -> None:
        """The run queued last comes first, and ids part those of one moment."""
        assert store.list_runs(case_ids=[runs[0].test_case_id]) == runs[::-1]

    def test_oldest_first_on_demand(self, store: RunStore, runs: list[RunRecord]) -> None:
        """The other way round, and no more than asked for."""
        assert store.list_runs(case_ids=[runs[0].test_case_id], oldest_first=True, limit=3) == runs[:3]

    @pytest.mark.parametrize("oldest_first", [True, False])
    @pytest.mark.parametrize("size", [1, 2, 4])
    def test_a_cursor_meets_every_run_once(
        self, store: RunStore, runs: list[RunRecord], size: int, oldest_first: bool
    ) -> None:
        """Page after page, also where a page ends between two runs of one moment."""
        met: list[RunRecord] = []
        asked = {"case_ids": [runs[0].test_case_id], "limit": size, "oldest_first": oldest_first}
        while page := store.list_runs(**asked, after=met[-1] if met else None):
            met += page
        assert met == (runs if oldest_first else runs[::-1])

    def test_the_runs_of_a_batch_are_found(self, store: RunStore, runs: list[RunRecord]) -> None:
        """Only those submitted with it."""
        batch = str(uuid4())
        members = [run_record(runs[0].test_case_id, batch_id=batch) for _ in range(2)]
        store.save(members)
        assert {run.id for run in store.list_runs(batch_id=batch)} == {run.id for run in members}
        assert store.list_runs(batch_id=str(uuid4())) == store.list_runs(batch_id="no uuid") == []

    def test_statuses_and_times_filter(self, store: RunStore, runs: list[RunRecord]) -> None:
        """Runs that have not ended are not before any time."""
        case = runs[0].test_case_id
        good = store.list_runs(case_ids=[case], statuses=[RunStatus.COMPLETED, RunStatus.ADAPTED])
        assert {run.status for run in good} == {RunStatus.COMPLETED, RunStatus.ADAPTED}
        assert len(good) == 3
        assert store.list_runs(case_ids=[case], statuses=[]) == []
        old = store.list_runs(case_ids=[case], finished_before=NOON - timedelta(days=4))
        assert [run.id for run in old] == [runs[0].id]
        assert runs[-1] not in store.list_runs(case_ids=[case], finished_before=NOON + timedelta(days=99))

    def test_user_and_moment_filter(self, store: RunStore, runs: list[RunRecord]) -> None:
        """Runs of one user, and runs queued at or after a moment."""
        case = runs[0].test_case_id
        hers = run_record(case, user_id='ann, "quoted"', queued_at=NOON + timedelta(seconds=1))
        store.save([hers])
        assert store.list_runs(user_id=hers.user_id, case_ids=[case]) == [hers]
        assert store.list_runs(case_ids=[case], queued_since=NOON) == [hers, runs[-1]]

    def test_several_cases_filter(self, store: RunStore, runs: list[RunRecord]) -> None:
        """Runs of all of them in one order; none of no case."""
        other = run_record(saved_case(store), queued_at=NOON - timedelta(days=1))
        store.save([other])
        both = sorted([*runs, other], key=lambda run: (run.queued_at, run.id), reverse=True)
        cases = [other.test_case_id, runs[0].test_case_id]
        assert store.list_runs(case_ids=cases) == both
        assert store.list_runs(case_ids=cases, limit=2, after=both[0]) == both[1:3]
        assert store.list_runs(case_ids=cases[:1]) == [other]
        assert store.list_runs(case_ids=[]) == []

    def test_a_place_serves_as_a_cursor(self, store: RunStore, runs: list[RunRecord]) -> None:
        """The moment and the id of a run are enough to go on behind it."""
        place = RunPlace(queued_at=runs[2].queued_at, id=runs[2].id)
        assert store.list_runs(case_ids=[runs[0].test_case_id], after=place) == runs[1::-1]

    def test_runs_are_counted_by_status(self, store: RunStore, runs: list[RunRecord]) -> None:
        """Every status has a number, also one that no run has; other tests' runs count too."""
        before = store.count_runs()
        store.save([run_record(runs[0].test_case_id, status=RunStatus.DEAD)])
        assert set(before) == set(RunStatus)
        assert before[RunStatus.COMPLETED] >= 2
        assert store.count_runs() == before | {RunStatus.DEAD: before[RunStatus.DEAD] + 1}


class TestChildren:
    def test_records_of_all_kinds_come_back_whatever_order_they_were_put_in(self, store: RunStore) -> None:
        """One `save` writes parents before children."""
        case = case_record()
        row = {"name": "ann", "values": {"user": "ann", "age": 7}}
        run = run_record(case, seed="5eed", data_row=row, notes=("step 2: said no",))
        step = step_record(
            run,
            position="4[1].2",
            parents=("Sign in", "row 1"),
            target={"css": "#go", "fallbacks": [{"text": "Go"}]},
            status=StepStatus.ADAPTED,
            error="e",
            error_kind=ErrorKind.TIMEOUT,
            locator={"text": "Go"},
            matches=[{"locator": {"css": "#go"}, "count": 0, "same": False}],
            notes=("said no",),
        )
        artifact = artifact_record(run, step_number=1)
        adaptation = adaptation_row(run, score=0.5, margin=0.1, runner_up={"css": "#no"})
        pattern = pattern_record(case)
        store.save([pattern, adaptation, artifact, step, run, case])
        assert store.get_run(run.id) == run
        assert store.list_steps([run.id]) == [step]
        assert store.list_artifacts([run.id]) == [artifact]
        assert store.list_adaptations([run.id]) == [adaptation]
        assert store.list_patterns(case.id) == [pattern]

    def test_saving_twice_is_one_row_and_the_last_word_counts(self, store: RunStore) -> None:
        """In two calls and within one."""
        run = saved_run(store)
        store.save([step_record(run, name="first")])
        store.save([step_record(run, name="second"), step_record(run, name="third")])
        assert [step.name for step in store.list_steps([run.id])] == ["third"]

    def test_rows_are_listed_in_their_order(self, store: RunStore) -> None:
        """By run, attempt and number (ten after nine), or name."""
        case = saved_case(store)
        runs = sorted((run_record(case) for _ in range(2)), key=lambda run: run.id)
        places = [(1, 10), (2, 1), (1, 9)]
        store.save([*runs, *(step_record(run, n, attempt) for run in runs[::-1] for attempt, n in places)])
        store.save([artifact_record(runs[0], name) for name in ("b.png", "B.png", "a.png")])
        store.save([adaptation_row(runs[0], number) for number in (10, 9)])
        listed = store.list_steps([runs[1].id, runs[0].id])
        assert [(s.test_run_id, s.attempt, s.number) for s in listed] == [
            (run.id, attempt, number) for run in runs for attempt, number in [(1, 9), (1, 10), (2, 1)]
        ]
        assert [a.name for a in store.list_artifacts([runs[0].id])] == ["B.png", "a.png", "b.png"]
        assert [a.step_number for a in store.list_adaptations([runs[0].id])] == [9, 10]

    def test_a_record_without_its_parent_is_refused(self, store: RunStore) -> None:
        """A step of no run and a run of no case are errors that name the table."""
        with pytest.raises(RowRefusedError, match="test_steps"):
            store.save([step_record(str(uuid4()))])
        with pytest.raises(RowRefusedError, match="test_runs"):
            store.save([run_record(str(uuid4()))])

    def test_values_that_postgres_cannot_keep_are_replaced(self, store: RunStore) -> None:
        """NUL goes, a lone surrogate becomes U+FFFD, NaN becomes null, in texts, keys and JSON alike."""
        run = saved_run(store, config={"a\x00b": ["\x00", "\ud83d", "\ud83d\ude00", float("nan"), float("inf")]})
        store.save([step_record(run, name="a\x00b", target={"text": "\udc00"})])
        store.update_run(run.id, error="page said \x00")
        stored, step = store.get_run(run.id), store.list_steps([run.id])[0]
        assert stored is not None
        assert stored.config == {"ab": ["", "\ufffd", "\U0001f600", None, None]}
        assert stored.error == "page said "
        assert (step.name, step.target) == ("ab", {"text": "\ufffd"})

    def test_patterns_are_listed_by_step_and_falling_confidence(self, store: RunStore) -> None:
        """The best locator of a step comes first; a deleted one is gone."""
        case = saved_case(store)
        patterns = [
            pattern_record(case, step_key=key, locator={"css": css}, confidence=confidence)
            for key, css, confidence in [("b", "#1", 0.1), ("a", "#2", 0.2), ("a", "#3", 0.9)]
        ]
        store.save(patterns)
        assert store.list_patterns(case.id) == [patterns[2], patterns[1], patterns[0]]
        store.delete_patterns([patterns[1].id, "no uuid"])
        assert store.list_patterns(case.id) == [patterns[2], patterns[0]]


class TestKnowledge:
    def test_what_is_known_of_a_case_comes_in_one_piece(self, store: RunStore) -> None:
        """Fingerprints, patterns and verdicts, each in its order; of another case nothing."""
        case, other = saved_case(store), saved_case(store)
        prints = [
            fingerprint_record(case, step_key=key, healed={"locator": {"css": "#b"}, "document": {"tag": "a"}})
            for key in ("b", "a")
        ]
        patterns = [
            pattern_record(case, locator={"css": css}, confidence=confidence, learned=True)
            for css, confidence in [("#1", 0.1), ("#2", 0.2)]
        ]
        verdict = verdict_record(case)
        store.save([*prints, *patterns, verdict, fingerprint_record(other)])
        assert store.knowledge(case.id) == CaseKnowledge(
            fingerprints=(prints[1], prints[0]), patterns=(patterns[1], patterns[0]), verdicts=(verdict,)
        )

    def test_what_is_known_of_steps_is_that_of_every_case(self, store: RunStore) -> None:
        """Keys of flows have signs that a URL gives a meaning of its own."""
        one, other = saved_case(store), saved_case(store)
        key = f"flows/{one.id}, a (b).yaml:1:click"
        prints = [fingerprint_record(case, step_key=key) for case in (one, other)]
        pattern, verdict = pattern_record(one, step_key=key), verdict_record(other, step_key=key)
        store.save([*prints, pattern, verdict, fingerprint_record(one, step_key=f"{key}2")])
        found = store.knowledge_of_steps([key, f"{key}3"])
        assert {row.id for row in found.fingerprints} == {row.id for row in prints}
        assert (found.patterns, found.verdicts) == ((pattern,), (verdict,))
        assert store.knowledge_of_steps([]) == CaseKnowledge()

    @pytest.mark.parametrize("unknown", [UNKNOWN_ID, "no uuid"])
    def test_of_an_unknown_case_nothing_is_known(self, store: RunStore, unknown: str) -> None:
        assert store.knowledge(unknown) == CaseKnowledge()

    def test_a_fingerprint_is_one_row_a_step(self, store: RunStore) -> None:
        """The last word counts."""
        case = saved_case(store)
        store.save([fingerprint_record(case)])
        new = fingerprint_record(case, document={"tag": "a"}, page="/home")
        store.save([new])
        assert store.knowledge(case.id).fingerprints == (new,)

    def test_verdicts_outlive_the_run_but_not_the_case(self, store: RunStore) -> None:
        run = saved_run(store)
        verdict, print_ = verdict_record(run.test_case_id), fingerprint_record(run.test_case_id)
        store.save([verdict, print_, adaptation_row(run)])
        store.delete_runs([run.id])
        assert store.knowledge(run.test_case_id) == CaseKnowledge(fingerprints=(print_,), verdicts=(verdict,))
        store.delete_cases([run.test_case_id])
        assert store.knowledge(run.test_case_id) == CaseKnowledge()

    def test_adaptations_are_found_newest_first(self, store: RunStore) -> None:
        """By case, run and status, whatever run they are of; one by its id."""
        run = saved_run(store)
        rows = [
            adaptation_row(
                run,
                number,
                created_at=NOON + timedelta(seconds=number),
                status="proposed" if number == 2 else "applied",
                evidence={"summary": "same name", "properties": []},
            )
            for number in (1, 2, 3)
        ]
        store.save(rows)
        assert store.find_adaptations(case_ids=[run.test_case_id]) == rows[::-1]
        assert store.find_adaptations(case_ids=[run.test_case_id, UNKNOWN_ID]) == rows[::-1]
        assert store.find_adaptations(case_ids=[UNKNOWN_ID]) == []
        assert store.find_adaptations(run_id=run.id, limit=2) == [rows[2], rows[1]]
        assert store.find_adaptations(run_id=run.id, statuses=["proposed"]) == [rows[1]]
        assert store.find_adaptations(case_ids=["no uuid"]) == []
        assert store.get_adaptation(rows[0].id) == rows[0]
        assert store.get_adaptation("no uuid") is None


class TestDeleting:
    def test_a_deleted_run_takes_its_rows_along(self, store: RunStore) -> None:
        """Other runs and the case stay."""
        case = saved_case(store)
        gone, kept = run_record(case), run_record(case)
        for run in (gone, kept):
            store.save([run, step_record(run), artifact_record(run), adaptation_row(run)])
        assert store.count_rows([gone.id, kept.id]) == RowCounts(runs=2, steps=2, artifacts=2, adaptations=2)
        assert store.delete_runs([gone.id, str(uuid4())]) == 1
        assert store.get_run(gone.id) is None
        assert store.count_rows([gone.id]) == RowCounts()
        assert store.count_rows([kept.id]) == RowCounts(runs=1, steps=1, artifacts=1, adaptations=1)
        assert store.existing_runs([gone.id, kept.id, "no uuid"]) == {kept.id}
        assert store.get_case(case.id) is not None

    def test_a_run_is_found_by_the_beginning_of_its_id(self, store: RunStore) -> None:
        """In any case of letters; a text that begins no id finds nothing."""
        ids = sorted([f"abcd{number}234-0000-4000-8000-{uuid4().hex[:12]}" for number in range(3)])
        for run_id in ids:
            saved_run(store, id=run_id)
        assert store.find_run_ids("abcd") == ids[:2]
        assert store.find_run_ids("ABCD1") == store.find_run_ids(ids[1][:-1]) == [ids[1]]
        assert store.find_run_ids(ids[2]) == [ids[2]]
        assert store.find_run_ids("abcd9") == store.find_run_ids("no id") == store.find_run_ids("abcd%") == []

    def test_runs_that_have_begun_are_told_from_those_that_wait(self, store: RunStore) -> None:
        """One that waits for its next attempt has begun, and so has one that ended."""
        waits = saved_run(store)
        begun = [
            saved_run(store, status="running", fence=1),
            saved_run(store, status="queued", fence=1),
            saved_run(store, status="completed", fence=1),
            saved_run(store, status="cancelled"),
        ]
        ids = [run.id for run in (waits, *begun)]
        assert store.existing_runs([*ids, str(uuid4()), "no uuid"], begun=True) == set(ids[1:])

    def test_deleting_twice_finds_nothing(self, store: RunStore) -> None:
        """The second time there is no such run."""
        run = saved_run(store)
        assert store.delete_runs([run.id]) == 1
        assert store.delete_runs([run.id]) == 0

    def test_a_deleted_case_takes_everything_along(self, store: RunStore) -> None:
        """Its runs, their rows and what was known of its locators go; other cases stay."""
        gone, kept = saved_case(store), saved_case(store)
        runs = [run_record(gone), run_record(kept)]
        store.save([*runs, step_record(runs[0]), artifact_record(runs[0]), pattern_record(gone)])
        assert store.delete_cases([gone.id, str(uuid4()), "no uuid"]) == 1
        assert store.get_case(gone.id) is None
        assert store.count_rows([run.id for run in runs]) == RowCounts(runs=1)
        assert store.list_patterns(gone.id) == []
        assert store.get_case(kept.id) == kept


def test_more_rows_than_a_server_gives_at_once(store: RunStore) -> None:
    """Lists, counts and deletions are whole beyond PostgREST's 1000 rows and a URL's length."""
    case = saved_case(store)
    runs = [run_record(case, queued_at=NOON + timedelta(seconds=n)) for n in range(1201)]
    store.save(runs)
    steps = [step_record(runs[0], number) for number in range(1, 1102)]
    store.save(steps)
    ids = [run.id for run in runs]
    assert store.list_runs(case_ids=[case.id], limit=5000, oldest_first=True) == runs
    assert store.list_runs(case_ids=[case.id], limit=1100) == runs[:100:-1]
    assert store.list_steps(ids) == steps
    assert store.existing_runs(ids) == set(ids)
    assert store.count_rows(ids) == RowCounts(runs=1201, steps=1101)
    assert store.delete_runs(ids) == 1201
