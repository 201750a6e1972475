"""Starting due schedules, on a real Redis."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.auth.tokens import KEY, TokenStore
from qa_queue.errors import NotFoundError, RedisUnavailableError
from qa_queue.models import QueueName, Role, RunStatus
from qa_queue.schedules import ScheduleRegistry, ScheduleRunner, last_outcomes, read_spec
from qa_queue.schedules.policy import with_next_run
from qa_queue.schedules.starter import ScheduleStarter
from qa_queue.settings import load_settings
from qa_queue.store.schedule_records import ScheduleRecord
from tests.support.queueing import take_all
from tests.support.schedulers import jobs_on, runs_of
from tests.support.schedules import ADMIN
from tests.support.steps import goto, on


@pytest.fixture
def registry(store, clock) -> ScheduleRegistry:
    return ScheduleRegistry(store, clock)


@pytest.fixture
def nightly(registry, stored):
    """Stores a schedule of the case Sign in that comes every minute."""

    def add(**overrides: object) -> ScheduleRecord:
        case = stored(**overrides.pop("case", {}))
        timing = {} if "cron" in overrides else {"every": "1m"}
        what = {} if {"tag", "queue", "cases"} & overrides.keys() else {"cases": [case.id]}
        return registry.add(read_spec({"name": "nightly", **timing, **what, **overrides}), by=ADMIN)

    return add


def test_nothing_is_started_before_its_time(runner, nightly, store, redis_db) -> None:
    """And then no row is written either."""
    before = nightly()
    assert runner.serve_due() == 0
    assert jobs_on(redis_db) == []
    assert store.schedules.get(before.id) == before


def test_a_due_schedule_puts_its_case_on_the_queue(runner, nightly, registry, store, redis_db, clock) -> None:
    """With row and job, its values, its priority and its name as the user."""
    schedule = nightly(
        priority="urgent",
        attempts=2,
        env={"USER": "ann", "OTHER": "x"},
        base_url="https://shop.example",
        config={"timeout": 5000},
        case={"steps": (goto("/"), on("fill", "#name", value="${env.USER}"))},
    )
    moment = clock.pass_by(minutes=1)
    assert runner.serve_due() == 1
    (run,) = runs_of(store, schedule)
    assert jobs_on(redis_db) == [run.id]
    assert (run.status, run.priority, run.user_id) == (RunStatus.QUEUED, 20, "schedule:nightly")
    job = Job.fetch(run.id, connection=redis_db, serializer=JSONSerializer)
    data = job.kwargs["data"]
    assert (data["env"], data["config"]["timeout"]) == ({"USER": "ann"}, 5000)
    assert data["base_url"] == run.base_url == "https://shop.example"
    assert job.meta["max_attempts"] == 2
    row = registry.get("nightly")
    assert (row.last_run_id, row.last_batch_id, row.last_fire_at) == (run.id, run.batch_id, moment)
    assert (row.fired, row.pending, row.last_error) == (1, (), None)
    assert row.next_run_at == clock.pass_by(minutes=1)


def test_several_cases_are_one_batch(runner, nightly, stored, store, clock) -> None:
    """In the order given."""
    cases = [stored("B"), stored("A")]
    schedule = nightly(cases=[case.id for case in cases])
    clock.pass_by(minutes=1)
    runner.serve_due()
    runs = runs_of(store, schedule)
    assert {run.test_case_id for run in runs} == {case.id for case in cases}
    assert len({run.batch_id for run in runs}) == 1


def test_a_tag_runs_the_cases_that_have_it_at_that_time(runner, nightly, stored, store, clock) -> None:
    """Also one that was stored after the schedule."""
    schedule = nightly(tag="smoke")
    late = stored("Late", fields={"tags": ("smoke", "x")})
    clock.pass_by(minutes=1)
    runner.serve_due()
    assert [run.test_case_id for run in runs_of(store, schedule)] == [late.id]


def test_another_queue_gets_its_job(runner, nightly, registry, store, redis_db, clock) -> None:
    """With its payload, checked by the queue's own model; the end of the job is the outcome."""
    nightly(queue="cleanup", data={"dry_run": True}, priority="high")
    clock.pass_by(minutes=1)
    runner.serve_due()
    row = registry.get("nightly")
    assert jobs_on(redis_db, QueueName.CLEANUP) == [row.last_run_id]
    job = Job.fetch(row.last_run_id or "", connection=redis_db, serializer=JSONSerializer)
    assert job.kwargs["data"]["dry_run"] is True
    assert last_outcomes(redis_db, store, [row]) == {row.id: "running"}
    redis_db.hset(job.key, "status", "finished")
    assert last_outcomes(redis_db, store, [row]) == {row.id: "passed"}


def test_a_moment_is_not_started_with_a_role_that_may_not_start_it(
    runner, nightly, registry, store, redis_db, clock
) -> None:
    """The row came about without the checks, as by SQL or by an older version; no later moment starts either."""
    schedule = nightly(queue="cleanup", data={"keep_days": 0, "keep_failed_days": 0})
    assert store.schedules.replace(schedule.model_copy(update={"role": Role.RUN}))
    for _ in range(2):
        clock.pass_by(minutes=1)
        runner.serve_due()
    row = runner.run_now(registry.get("nightly"), by=ADMIN)
    assert jobs_on(redis_db, QueueName.CLEANUP) == []
    assert (row.last_run_id, row.last_error) == (
        None,
        "a schedule of the queue cleanup needs the role admin, not run.",
    )
    edited = registry.patch("nightly", {"data": {"keep_days": 30}}, by=ADMIN)
    assert runner.run_now(edited, by=ADMIN).last_run_id in jobs_on(redis_db, QueueName.CLEANUP)


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_nothing_starts_once_the_token_that_set_a_schedule_is_not_valid(
    runner, nightly, registry, store, redis_db, clock, end: str
) -> None:
    """Neither at its times nor at once; changed with another token, or at the command line, it starts again."""
    tokens, schedule = TokenStore(redis_db), nightly(overlap="allow")
    info, text = tokens.create("bob", Role.RUN)
    registry.patch("nightly", {"priority": "high"}, by=tokens.identify(text))
    clock.pass_by(minutes=1)
    runner.serve_due()
    (first,) = runs_of(store, schedule)
    if end == "revoked":
        tokens.revoke(info.id)
    else:
        expired = json.loads(redis_db.hget(KEY, info.id)) | {"expires_at": "2026-01-01T00:00:00Z"}
        redis_db.hset(KEY, info.id, json.dumps(expired))
    clock.pass_by(minutes=1)
    runner.serve_due()
    row = runner.run_now(registry.resume("nightly", by=ADMIN), by=ADMIN)
    assert row.last_error == (
        f"the token {info.id}, which last set this schedule, was revoked or has expired: "
        "change the schedule with another token or `qa-queue schedule edit`."
    )
    assert runs_of(store, schedule) == [first]
    edited = registry.patch("nightly", {"priority": "low"}, by=ADMIN)
    assert runner.run_now(edited, by=ADMIN).last_error is None
    assert len(runs_of(store, schedule)) == 2


def test_many_schedulers_start_a_moment_once(nightly, store, redis_db, clock) -> None:
    """Eight schedulers, ten moments."""
    schedule = nightly(overlap="allow")
    runners = [ScheduleRunner(redis_db, store, load_settings(), clock) for _ in range(8)]
    for _ in range(10):
        clock.pass_by(minutes=1)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda one: one.serve_due(), runners))
    runs = runs_of(store, schedule)
    assert len(runs) == 10
    assert sorted(jobs_on(redis_db)) == sorted(run.id for run in runs)
    assert store.schedules.get(schedule.id).fired == 10


def test_a_start_that_is_requested_again_much_later_does_nothing(runner, nightly, store, redis_db, clock) -> None:
    """Not even when the run has ended and its job was deleted."""
    schedule = nightly()
    moment = clock.pass_by(minutes=1)
    runner.serve_due()
    (run,) = runs_of(store, schedule)
    take_all(redis_db)
    redis_db.delete(f"rq:job:{run.id}")
    store.update_run(run.id, status=RunStatus.COMPLETED)
    again = ScheduleStarter(redis_db, store, load_settings()).start(schedule, moment)
    assert (again.run_id, again.fresh) == (run.id, False)
    assert jobs_on(redis_db) == []
    assert store.get_run(run.id).status is RunStatus.COMPLETED


@pytest.mark.parametrize(("overlap", "runs"), [("skip", 1), ("allow", 2), ("replace", 2)])
def test_a_moment_while_the_last_run_waits(
    runner, nightly, store, redis_db, clock, overlap: str, runs: int
) -> None:
    """Is skipped, joins it, or takes its place."""
    schedule = nightly(overlap=overlap)
    for _ in range(2):
        clock.pass_by(minutes=1)
        runner.serve_due()
    found = {run.id: run.status for run in runs_of(store, schedule)}
    assert len(found) == runs
    row = store.schedules.get(schedule.id)
    assert row.skipped == 2 - runs
    if overlap == "replace":
        assert jobs_on(redis_db) == [row.last_run_id]
        assert sorted(found.values()) == [RunStatus.CANCELLED, RunStatus.QUEUED]


def test_replacing_cancels_a_running_run(runner, nightly, store, redis_db, clock) -> None:
    """By the signal that its worker reads."""
    schedule = nightly(overlap="replace")
    clock.pass_by(minutes=1)
    runner.serve_due()
    (run,) = runs_of(store, schedule)
    take_all(redis_db)
    redis_db.hset(f"rq:job:{run.id}", "status", "started")
    store.update_run(run.id, status=RunStatus.RUNNING)
    clock.pass_by(minutes=1)
    runner.serve_due()
    assert redis_db.exists(f"qa:cancel:{run.id}")


def test_a_run_whose_job_redis_has_lost_does_not_block_the_schedule(
    runner, nightly, store, redis_db, clock
) -> None:
    """Its row keeps the status queued."""
    schedule = nightly(overlap="skip")
    clock.pass_by(minutes=1)
    runner.serve_due()
    redis_db.flushdb()
    clock.pass_by(minutes=1)
    runner.serve_due()
    assert len(runs_of(store, schedule)) == 2


def test_a_schedule_that_cannot_be_started_reports_it_and_delays_no_other(
    runner, nightly, registry, stored, store, redis_db, clock, caplog
) -> None:
    """Its case was deleted; the next moment is tried again."""
    gone = nightly(name="gone")
    other = nightly(name="other", cases=[stored("Other").id])
    store.delete_cases(gone.cases)
    clock.pass_by(minutes=1)
    with caplog.at_level(logging.WARNING, "qa_queue"):
        runner.serve_due()
    row = registry.get("gone")
    assert "all of its cases are gone" in (row.last_error or "")
    assert row.next_run_at is not None
    assert last_outcomes(redis_db, store, [row, registry.get("other")]) == {
        row.id: "not started",
        other.id: "running",
    }
    assert len(runs_of(store, other)) == 1
    assert "Schedule gone could not be started" in caplog.text


def test_a_case_that_is_gone_does_not_keep_the_others_from_running(
    runner, nightly, registry, stored, store, clock
) -> None:
    """And is reported."""
    cases = [stored("A").id, stored("B").id]
    schedule = nightly(cases=cases)
    store.delete_cases(cases[:1])
    clock.pass_by(minutes=1)
    runner.serve_due()
    assert [run.test_case_id for run in runs_of(store, schedule)] == cases[1:]
    assert registry.get("nightly").last_error == f"1 of its cases are gone: {cases[0]}"


def test_a_row_that_cannot_be_read_stops_until_it_is_changed(runner, nightly, registry, store, clock) -> None:
    """As when a zone is no longer known."""
    schedule = nightly(cron="* * * * *")
    store.schedules.replace(schedule.model_copy(update={"time_zone": "Atlantis/Capital"}))
    clock.pass_by(minutes=2)
    runner.serve_due()
    row = registry.get("nightly")
    assert row.next_run_at is None
    assert "no time zone 'Atlantis/Capital'" in (row.last_error or "")
    assert registry.patch("nightly", {"time_zone": "UTC"}, by=ADMIN).next_run_at is not None


def test_a_date_at_the_end_of_the_calendar_delays_no_other(runner, nightly, registry, store, clock) -> None:
    """As rows of older versions may have."""
    odd, _ = nightly(name="odd"), nightly(name="good")
    start = datetime.min.replace(tzinfo=UTC)
    store.schedules.replace(odd.model_copy(update={"next_fire_at": start, "next_run_at": start}))
    clock.pass_by(minutes=2)
    assert runner.serve_due() == 1
    row = registry.get("odd")
    assert row.next_run_at is None
    assert "at the end of the calendar" in (row.last_error or "")


def test_an_edit_takes_effect_at_once_and_counts_from_now(runner, nightly, registry, store, clock) -> None:
    """Earlier moments of the old times are neither missed nor made up for."""
    schedule = nightly(missed="all")
    clock.pass_by(seconds=50)
    row = registry.patch("nightly", {"every": "10s"}, by=ADMIN)
    clock.pass_by(seconds=10)
    assert row.next_run_at == clock()
    runner.serve_due()
    assert len(runs_of(store, schedule)) == 1
    assert registry.get("nightly").missed_runs == 0


def test_an_edit_of_something_else_leaves_the_times_alone(nightly, registry, clock) -> None:
    """The next moment stays."""
    schedule = nightly()
    clock.pass_by(seconds=50)
    row = registry.patch("nightly", {"priority": "low", "env": None}, by=ADMIN)
    assert (row.next_run_at, row.priority) == (schedule.next_run_at, "low")


def test_an_edit_during_a_start_loses_neither(nightly, registry, store, redis_db, clock) -> None:
    """The scheduler has decided and the editor writes before it confirms."""
    schedule = nightly()

    class Edited(ScheduleRunner):
        def _begin(self, schedule, moment):
            registry.patch("nightly", {"name": "renamed", "every": "5m"}, by=ADMIN)
            return super()._begin(schedule, moment)

    clock.pass_by(minutes=1)
    Edited(redis_db, store, load_settings(), clock).serve_due()
    row = registry.get("renamed")
    assert (row.fired, row.pending, row.every) == (1, (), "5m")
    assert row.last_run_id == jobs_on(redis_db)[0]
    assert row.next_run_at == clock.pass_by(minutes=5)
    assert row.id == schedule.id


def test_a_schedule_that_is_removed_during_a_start_stays_removed(nightly, registry, store, redis_db, clock) -> None:
    """Its run continues."""
    nightly()

    class Removed(ScheduleRunner):
        def _begin(self, schedule, moment):
            registry.remove("nightly")
            return super()._begin(schedule, moment)

    clock.pass_by(minutes=1)
    assert Removed(redis_db, store, load_settings(), clock).serve_due() == 1
    assert registry.list_all() == []
    assert len(jobs_on(redis_db)) == 1


@pytest.fixture
def pending(nightly, store, clock):
    """Stores a schedule with a number of pending moments."""

    def add(count: int, **overrides: object) -> ScheduleRecord:
        schedule = nightly(**overrides)
        moments = tuple(clock.pass_by(minutes=1) for _ in range(count))
        assert store.schedules.replace(with_next_run(schedule, clock(), pending=moments, next_fire_at=None))
        return store.schedules.get(schedule.id)

    return add


def test_a_second_scheduler_does_not_replace_the_run_that_the_first_one_has_started(
    runner, pending, store, redis_db, clock
) -> None:
    """It reads the row, the first one starts both moments, and it continues."""
    schedule = pending(2, overlap="replace")

    class Overtaken(ScheduleRunner):
        def _begin(self, schedule, moment):
            if moment == schedule.pending[0]:
                runner.settle(schedule)
            return super()._begin(schedule, moment)

    row = Overtaken(redis_db, store, load_settings(), clock).settle(schedule)
    assert row == store.schedules.get(schedule.id)
    assert jobs_on(redis_db) == [row.last_run_id]
    found = sorted(run.status for run in runs_of(store, schedule))
    assert found == [RunStatus.CANCELLED, RunStatus.QUEUED]


def test_no_further_moment_of_a_schedule_that_is_removed_meanwhile_is_started(
    pending, registry, store, redis_db, clock
) -> None:
    """Five are pending, and it is removed with the first."""
    pending(5, overlap="allow")

    class Removed(ScheduleRunner):
        def _begin(self, schedule, moment):
            registry.remove(schedule.id)
            return super()._begin(schedule, moment)

    Removed(redis_db, store, load_settings(), clock).serve_due()
    assert len(jobs_on(redis_db)) == 1


def test_a_pause_starts_nothing_and_is_not_made_up_for(runner, nightly, registry, redis_db, clock) -> None:
    """It continues with the next moment after the resume."""
    nightly(missed="all")
    assert registry.pause("nightly", by=ADMIN).next_run_at is None
    clock.pass_by(minutes=5, seconds=30)
    assert runner.serve_due() == 0
    row = registry.resume("nightly", by=ADMIN)
    assert row.next_run_at == clock.pass_by(seconds=30)
    assert runner.serve_due() == 1
    assert registry.get("nightly").missed_runs == 0
    assert registry.resume("nightly", by=ADMIN) == registry.get("nightly")


def test_it_ends_after_max_runs_and_continues_when_that_is_raised(
    runner, nightly, registry, redis_db, clock
) -> None:
    """As a run that repeats at intervals."""
    nightly(max_runs=2, overlap="allow")
    for _ in range(4):
        clock.pass_by(minutes=1)
        runner.serve_due()
    assert len(jobs_on(redis_db)) == 2
    assert registry.get("nightly").next_run_at is None
    assert registry.preview("nightly") == []
    assert registry.patch("nightly", {"max_runs": 3}, by=ADMIN).next_run_at == clock.pass_by(minutes=1)


def test_run_now_starts_it_besides_its_moments(runner, nightly, registry, store, redis_db, clock) -> None:
    """Also a paused one; its next moment stays."""
    schedule = nightly()
    registry.pause("nightly", by=ADMIN)
    row = runner.run_now(registry.get("nightly"), by=ADMIN)
    assert jobs_on(redis_db) == [row.last_run_id]
    assert (row.next_run_at, row.pending, row.fired) == (None, (), 0)
    resumed = registry.resume("nightly", by=ADMIN)
    again = runner.run_now(resumed, by=ADMIN)
    assert again.next_run_at == resumed.next_run_at
    assert len(runs_of(store, schedule)) == 1, "the same moment is the same run"


def test_nothing_is_decided_while_redis_is_unavailable_and_moments_count_as_missed(
    nightly, store, redis_db, redis_url, clock
) -> None:
    """The policy applies afterwards."""
    schedule = nightly(missed="once", grace_s=30)
    away = Redis(host="127.0.0.1", port=1)
    clock.pass_by(minutes=1)
    with pytest.raises(RedisUnavailableError, match=r"127\.0\.0\.1:1/0"):
        ScheduleRunner(away, store, load_settings(), clock).serve_due()
    assert store.schedules.get(schedule.id) == schedule
    clock.pass_by(minutes=4, seconds=45)
    assert ScheduleRunner(redis_db, store, load_settings(), clock).serve_due() == 1
    row = store.schedules.get(schedule.id)
    assert (row.fired, row.missed_runs) == (1, 4)


def test_an_unknown_name_is_reported_with_the_nearest(registry, nightly) -> None:
    """As for a mistyped one."""
    nightly()
    with pytest.raises(NotFoundError, match=r"there is no schedule 'nightli'\. Did you mean 'nightly'\?"):
        registry.get("nightli")
