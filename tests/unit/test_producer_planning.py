"""What a submission comes to before anything is written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qa_queue.errors import CaseError, InputError
from qa_queue.models import Priority, TestConfig
from qa_queue.producer.planning import (
    PlannedRun,
    case_record,
    distinct_cases,
    run_records,
    run_spec,
)
from qa_queue.producer.requests import RunRequest
from qa_queue.producer.validation import resolve_environments
from tests.support.queueing import run_request
from tests.support.steps import goto, on

NOW = datetime(2026, 1, 8, tzinfo=UTC)
SECRET_STEP = on("fill", "#password", value="${secret.SHOP_PASSWORD}")


def planned(request: RunRequest, run_id: str = "run-1", **env: str) -> PlannedRun:
    return PlannedRun(run_id=run_id, request=request, case=case_record(request), env=env)


def test_the_payload_holds_the_case_with_its_secrets_unresolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_SECRET_SHOP_PASSWORD", "hunter2")
    request = run_request(steps=(goto("/"), SECRET_STEP))
    plan = planned(request, **resolve_environments([request])[0])
    payload = run_spec(plan, NOW).data.model_dump_json()
    assert "${secret.SHOP_PASSWORD}" in payload
    assert "hunter2" not in payload


def test_only_variables_that_the_case_uses_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_USER", "ann")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "not for anyone")
    request = run_request(steps=(goto("/${env.SHOP_USER}"),), env={"UNUSED": "x"})
    assert resolve_environments([request]) == [{"SHOP_USER": "ann"}]


def test_a_value_of_the_request_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_USER", "ann")
    request = run_request(steps=(goto("/${env.SHOP_USER}"),), env={"SHOP_USER": "bob"})
    assert resolve_environments([request]) == [{"SHOP_USER": "bob"}]


def test_a_request_from_elsewhere_cannot_read_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_KEY", "not for anyone")
    request = run_request(steps=(goto("/${env.CLOUD_KEY}"),), process_env=False)
    with pytest.raises(CaseError, match="CLOUD_KEY"):
        resolve_environments([request])
    given = run_request(steps=(goto("/${env.CLOUD_KEY}"),), process_env=False, env={"CLOUD_KEY": "own"})
    assert resolve_environments([given]) == [{"CLOUD_KEY": "own"}]


def test_problems_of_all_requests_are_reported_together() -> None:
    requests = [run_request(source=f"{n}.yaml", steps=(goto(f"/${{env.MISSING_{n}}}"),)) for n in "AB"]
    with pytest.raises(CaseError) as caught:
        resolve_environments(requests)
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["A.yaml", "B.yaml"]
    assert "--env MISSING_A=" in str(caught.value)


def test_a_case_cannot_read_the_service_s_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "sb_secret_1")
    request = run_request(source="a.yaml", steps=(goto("/${env.SUPABASE_SECRET_KEY}"),))
    with pytest.raises(CaseError, match=r"a\.yaml: .*SUPABASE_SECRET_KEY") as caught:
        resolve_environments([request])
    assert "sb_secret_1" not in str(caught.value)


def test_one_case_in_two_files_is_stored_once() -> None:
    plans = [planned(run_request(source=f"{n}.yaml"), n) for n in "ab"]
    assert [case.source for case in distinct_cases(plans)] == ["a.yaml"]


def test_two_different_cases_of_one_name_are_refused_with_both_files() -> None:
    plans = [planned(run_request("Login", source=f"{n}.yaml", steps=(goto(f"/{n}"),)), n) for n in "ab"]
    with pytest.raises(InputError, match=r"'Login': a\.yaml and b\.yaml"):
        distinct_cases(plans)


def test_a_run_s_row_says_what_was_asked_for() -> None:
    request = run_request(
        config=TestConfig(timeout=5000),
        priority=Priority.HIGH,
        user_id="ann",
        fields={"base_url": "http://${env.SHOP_HOST}/shop"},
    )
    plan = planned(request, SHOP_HOST="shop.test")
    (row,) = run_records([plan], {plan.case.id: 7}, NOW)
    assert (row.id, row.job_id, row.case_version, row.priority, row.user_id) == ("run-1", "run-1", 7, 10, "ann")
    assert (row.total_steps, row.base_url, row.queued_at) == (1, "http://shop.test/shop", NOW)
    assert row.config["timeout"] == 5000


def test_rows_of_one_submission_are_ordered_by_the_time_of_their_queuing() -> None:
    plans = [planned(run_request(), f"run-{number}") for number in range(3)]
    rows = run_records(plans, {plans[0].case.id: 1}, NOW)
    assert [row.id for row in sorted(rows, key=lambda row: row.queued_at)] == ["run-0", "run-1", "run-2"]
    assert len({row.queued_at for row in rows}) == 3


def test_a_run_goes_to_the_request_s_base_url_before_the_case_s() -> None:
    plan = planned(run_request(base_url="http://other.test", fields={"base_url": "http://shop.test"}))
    (row,) = run_records([plan], {plan.case.id: 1}, NOW)
    assert row.base_url == "http://other.test"
    assert run_spec(plan, NOW).data.base_url == "http://other.test"
