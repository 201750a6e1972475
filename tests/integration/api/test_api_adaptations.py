"""Adaptations by HTTP: looked at, accepted and rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import AdaptationRow
from tests.support.heals import EVIDENCE, FILE, store_healed


@pytest.fixture
def healed(store: MemoryStore, tmp_path: Path) -> AdaptationRow:
    """A stored case, and the heal of its second step."""
    return store_healed(store, tmp_path)


def definition(client: httpx.Client, row: AdaptationRow) -> dict[str, Any]:
    return client.get(f"/api/v1/cases/{row.test_case_id}").json()["definition"]


def test_they_are_listed_by_status_run_and_case_and_shown_with_their_evidence(
    reader: httpx.Client, healed: AdaptationRow
) -> None:
    def listed(**query: str) -> list[str]:
        answer = reader.get("/api/v1/adaptations", params=query).json()
        return [one["id"] for one in answer["adaptations"]]

    assert listed() == listed(run=healed.test_run_id) == listed(case=healed.test_case_id) == [healed.id]
    assert listed(status="applied") == [healed.id]
    assert listed(status="rejected") == listed(run="other") == []
    assert reader.get(f"/api/v1/adaptations/{healed.id}").json()["evidence"] == EVIDENCE
    assert reader.get("/api/v1/adaptations/none").status_code == 404


def test_an_accepted_locator_becomes_the_cases_and_a_patch_is_made_for_its_file(
    runner: httpx.Client, healed: AdaptationRow
) -> None:
    answer = runner.post(f"/api/v1/adaptations/{healed.id}/accept", json={"file": FILE}).json()
    assert (answer["adaptation"]["status"], answer["adaptation"]["judged_by"]) == ("accepted", "run")
    assert (answer["case_version"], answer["step_number"]) == (2, 2)
    assert '-- click: {target: {css: "#buy"}}' in answer["patch"]
    assert '+- click: {target: {"role": "button", "name": "Buy"}}' in answer["patch"]
    assert definition(runner, healed)["steps"][1]["click"] == healed.new_target


def test_accepting_twice_changes_the_case_once(runner: httpx.Client, healed: AdaptationRow) -> None:
    path = f"/api/v1/adaptations/{healed.id}/accept"
    assert runner.post(path).json()["case_version"] == 2
    assert runner.post(path).json()["case_version"] is None
    assert runner.get(f"/api/v1/cases/{healed.test_case_id}").json()["version"] == 2


def test_without_writing_the_case_stays_as_it_is(runner: httpx.Client, healed: AdaptationRow) -> None:
    before = definition(runner, healed)
    answer = runner.post(f"/api/v1/adaptations/{healed.id}/accept", json={"write": False, "file": FILE}).json()
    assert (answer["adaptation"]["status"], answer["case_version"], answer["patch"]) == ("accepted", None, None)
    assert definition(runner, healed) == before


def test_a_rejection_takes_back_what_was_accepted(
    runner: httpx.Client, healed: AdaptationRow, store: MemoryStore
) -> None:
    """And the locator is never taken for that step again."""
    before = definition(runner, healed)
    runner.post(f"/api/v1/adaptations/{healed.id}/accept")
    answer = runner.post(f"/api/v1/adaptations/{healed.id}/reject").json()
    assert (answer["adaptation"]["status"], answer["case_version"]) == ("rejected", 3)
    assert definition(runner, healed) == before
    verdicts = store.knowledge(healed.test_case_id).verdicts
    assert [(one.locator, one.verdict) for one in verdicts] == [(healed.new_target, "rejected")]


def test_a_case_that_changed_since_is_not_touched(runner: httpx.Client, healed: AdaptationRow) -> None:
    url = f"/api/v1/cases/{healed.test_case_id}"
    changed = definition(runner, healed) | {"steps": [{"goto": "/"}]}
    runner.put(url, json={"case": changed})
    answer = runner.post(f"/api/v1/adaptations/{healed.id}/accept")
    assert answer.status_code == 422
    assert "no longer names" in answer.json()["detail"]
    assert runner.get(f"/api/v1/adaptations/{healed.id}").json()["status"] == "applied"


def test_readers_judge_nothing(reader: httpx.Client, healed: AdaptationRow) -> None:
    for verb in ("accept", "reject"):
        assert reader.post(f"/api/v1/adaptations/{healed.id}/{verb}").status_code == 403
    assert reader.get(f"/api/v1/adaptations/{healed.id}").json()["status"] == "applied"
