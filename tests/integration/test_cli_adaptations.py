"""`qa-queue adaptations` on a real store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qa_queue.cases.reader import load_cases
from qa_queue.local.process import LocalServer
from qa_queue.store.records import AdaptationRow
from qa_queue.store.supabase import SupabaseStore
from tests.support.heals import store_healed
from tests.support.program import Program


@pytest.fixture
def store(supabase: LocalServer) -> Iterator[SupabaseStore]:
    opened = SupabaseStore(supabase.url, supabase.key or "")
    yield opened
    opened.close()


@pytest.fixture
def healed(program: Program, store: SupabaseStore) -> AdaptationRow:
    """A case from a file, a run of it, and the heal of its second step."""
    return store_healed(store, program.folder, "Adaptations by command line")


def test_listed_shown_accepted_and_rejected(program: Program, store: SupabaseStore, healed: AdaptationRow) -> None:
    """A person looks, accepts with a patch for the file, changes her mind."""
    listed = program("adaptations", "list", "--run", healed.test_run_id, "--json").json["adaptations"]
    assert [(one["id"], one["status"]) for one in listed] == [(healed.id, "applied")]
    assert "97%" in program("adaptations", "list", "--run", healed.test_run_id).out
    shown = program("adaptations", "show", healed.id).out
    assert "found, 97 % likely" in shown
    assert "wording" in shown

    accepted = program("adaptations", "accept", healed.id, "--by", "ann")
    assert accepted.code == 0, accepted.err
    assert "is now version" in accepted.out
    assert '-- click: {target: {css: "#buy"}}' in accepted.out
    assert '+- click: {target: {"role": "button", "name": "Buy"}}' in accepted.out
    case = store.get_case(healed.test_case_id)
    assert case is not None
    assert case.definition["steps"][1] == {"click": {"role": "button", "name": "Buy"}}
    stored = store.get_adaptation(healed.id)
    assert stored is not None
    assert (stored.status, stored.judged_by) == ("accepted", "ann")

    rejected = program("adaptations", "reject", healed.id)
    assert rejected.code == 0, rejected.err
    (verdict,) = store.knowledge(healed.test_case_id).verdicts
    assert (verdict.verdict, verdict.locator) == ("rejected", healed.new_target)
    back = store.get_case(healed.test_case_id)
    assert back is not None
    assert back.definition["steps"][1] == {"click": {"css": "#buy"}}


def test_the_file_is_changed_on_demand(program: Program, healed: AdaptationRow) -> None:
    """Only the target; the comment stays."""
    assert program("adaptations", "accept", healed.id, "--apply").code == 0
    text = (program.folder / "order.yaml").read_text(encoding="utf-8")
    assert "- goto: /  # the shop\n" in text
    (case,) = load_cases(program.folder / "order.yaml")
    assert case.steps[1].args.target.role == "button"  # type: ignore[attr-defined]


def test_what_is_not_there_is_bad_input(program: Program) -> None:
    """Unknown ids and statuses."""
    assert program("adaptations", "show", "nothing").code == 2
    assert program("adaptations", "list", "--status", "odd").code == 2


def test_programs_read_a_judgement_as_json(program: Program, store: SupabaseStore, healed: AdaptationRow) -> None:
    """The patch goes to standard error then."""
    before = store.get_case(healed.test_case_id)
    assert before is not None
    ended = program("adaptations", "accept", healed.id, "--json")
    said = ended.json
    assert (said["adaptation"]["status"], said["case_version"], said["step_number"]) == (
        "accepted",
        before.version + 1,
        2,
    )
    assert '+- click: {target: {"role": "button", "name": "Buy"}}' in ended.err
