"""The ledger on Supabase and its twin keep one contract; the table keeps its own."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from qa_queue.errors import ConflictError, StoreError
from qa_queue.store.client import SupabaseClient
from qa_settlement.ledger import Ledger, MemoryLedger, SupabaseLedger
from qa_settlement.models import Settlement


@pytest.fixture(params=["memory", "supabase"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    if request.param == "memory":
        return MemoryLedger()
    return SupabaseLedger(request.getfixturevalue("supabase_client"))


def settlement(key: str, **overrides: Any) -> Settlement:
    fields = {"user_id": "ann", "place_id": "cafe-7", "mission_id": "m-3", "amount": "12.50"}
    return Settlement(**fields | {"idempotency_key": key} | overrides)


def test_a_key_is_posted_once(ledger: Ledger, key: str) -> None:
    """The second time, that entry is given back."""
    first = ledger.post(settlement(key), "job-1")
    second = ledger.post(settlement(key), "job-2")
    assert (first.fresh, second.fresh) == (True, False)
    assert second.model_copy(update={"fresh": True}) == first


def test_of_twenty_racers_one_posts(ledger: Ledger, key: str) -> None:
    """All are given its entry."""
    found = []
    begin = threading.Barrier(20)

    def race() -> None:
        begin.wait(30)
        found.append(ledger.post(settlement(key), "job"))

    threads = [threading.Thread(target=race) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 20
    assert len({one.entry_id for one in found}) == 1
    assert sum(one.fresh for one in found) == 1


@pytest.mark.parametrize("field", ["user_id", "place_id", "mission_id", "amount"])
def test_a_key_names_one_settlement(ledger: Ledger, key: str, field: str) -> None:
    """Another under the same key is refused, and what differs is said."""
    ledger.post(settlement(key), "job-1")
    with pytest.raises(ConflictError, match=field):
        ledger.post(settlement(key, **{field: "7"}), "job-2")


def test_the_table_takes_no_change_and_no_second_entry(supabase_client: SupabaseClient, key: str) -> None:
    """Not even with the secret key."""
    SupabaseLedger(supabase_client).post(settlement(key), "job-1")
    table = supabase_client.table("settlements")
    for change in (
        table.update({"amount_minor": 1}).eq("idempotency_key", key),
        table.delete().eq("idempotency_key", key),
        table.insert({"idempotency_key": key, "user_id": "b", "place_id": "p", "mission_id": "m",
                      "amount_minor": 1, "job_id": "j"}),
        table.insert({"idempotency_key": f"{key}-0", "user_id": "b", "place_id": "p", "mission_id": "m",
                      "amount_minor": 0, "job_id": "j"}),
    ):  # fmt: skip
        with pytest.raises(StoreError):
            supabase_client.send(change)
    rows = supabase_client.send(table.select("amount_minor").eq("idempotency_key", key)).data
    assert rows == [{"amount_minor": 1250}]
