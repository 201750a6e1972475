"""The processor alone: without Redis, worker and database."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from qa_queue import ConflictError, InputError, JobContext
from qa_settlement.ledger import Ledger, MemoryLedger
from qa_settlement.processor import SettlementProcessor

PAYLOAD = {"user_id": "ann", "place_id": "cafe-7", "mission_id": "m-3", "amount": "12.50", "idempotency_key": "k-1"}
BOOK = MemoryLedger()


class OnMemory(SettlementProcessor):
    """The processor on the ledger in memory."""

    def open_ledger(self) -> AbstractContextManager[Ledger]:
        return nullcontext(BOOK)


async def process(**changes: Any) -> dict[str, Any]:
    context = JobContext(job_id="job-1", queue="settlement")
    return await OnMemory(None, context).run(PAYLOAD | changes)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def empty() -> None:
    BOOK.entries.clear()


async def test_a_settlement_is_posted_and_its_entry_returned() -> None:
    result = await process()
    assert (result["amount"], result["fresh"]) == ("12.50", True)
    assert BOOK.entries["k-1"].amount_minor == 1250


async def test_done_again_it_posts_nothing_and_returns_the_same_entry() -> None:
    first, second = await process(), await process()
    assert second == first | {"fresh": False}
    assert len(BOOK.entries) == 1


async def test_a_key_that_was_posted_for_another_settlement_is_refused() -> None:
    await process()
    with pytest.raises(ConflictError, match="amount_minor differ"):
        await process(amount="13.00")
    assert BOOK.entries["k-1"].amount_minor == 1250


async def test_a_payload_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InputError, match="amount"):
        await process(amount=12.5)
