"""The pages of batches, over a real Redis and the store's twin."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest
from redis import Redis

from qa_queue.models import RunStatus
from qa_queue.producer import JobProducer, SubmittedBatch
from qa_queue.settings import load_settings
from qa_queue.store.memory import MemoryStore
from tests.support.queueing import run_request

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def batch(redis_db: Redis, store: MemoryStore) -> SubmittedBatch:
    """Two runs that wait."""
    requests = [run_request("Buy a coffee"), run_request(EVIL)]
    return JobProducer(redis_db, store, load_settings()).submit_batch(requests)


def test_batches_are_listed_with_their_verdict(pages: httpx.Client, batch: SubmittedBatch) -> None:
    """And where there are none, how to make one is said."""
    page = pages.get("/batches").text
    assert f'href="/batches/{batch.id}"' in page
    assert "0/2" in page
    assert "running" in page


def test_without_batches_the_page_says_how_to_make_one(pages: httpx.Client) -> None:
    """Not an empty table."""
    assert "No batches yet" in pages.get("/batches").text


def test_a_batch_shows_its_progress_and_its_runs_escaped(
    pages: httpx.Client, batch: SubmittedBatch, store: MemoryStore
) -> None:
    """With a way to cancel it while it goes on."""
    store.update_run(batch.runs[0].run_id, status=RunStatus.COMPLETED)
    page = pages.get(f"/batches/{batch.id}").text
    assert "1 of 2 ended" in page
    assert 'value="50"' in page
    assert "Buy a coffee" in page
    assert EVIL not in page
    assert f'action="/batches/{batch.id}/cancel"' in page
    assert "again" not in page
    assert pages.get(f"/batches/{uuid4()}").status_code == 404


def test_a_batch_is_cancelled_and_its_failed_runs_made_again_from_its_page(
    pages: httpx.Client, batch: SubmittedBatch, store: MemoryStore
) -> None:
    """Each leads to the page of what came of it."""
    store.update_run(batch.runs[0].run_id, status=RunStatus.FAILED)
    assert pages.post(f"/batches/{batch.id}/cancel").headers["Location"] == f"/batches/{batch.id}"
    page = pages.get(f"/batches/{batch.id}").text
    assert "cancelled by local" in page
    assert f'action="/batches/{batch.id}/rerun"' in page
    again = pages.post(f"/batches/{batch.id}/rerun").headers["Location"]
    assert again != f"/batches/{batch.id}"
    shown = pages.get(again).text
    assert "Buy a coffee" in shown
    assert "0 of 1 ended" in shown


def test_a_batch_is_pinned_and_unpinned_by_its_button(
    pages: httpx.Client, batch: SubmittedBatch, store: MemoryStore
) -> None:
    """With all its runs."""
    for word, following in (("pin", "unpin"), ("unpin", "pin")):
        assert pages.post(f"/batches/{batch.id}/{word}").headers["Location"] == f"/batches/{batch.id}"
        assert {run.pinned for run in store.list_runs(batch_id=batch.id)} == {word == "pin"}
        assert f'action="/batches/{batch.id}/{following}"' in pages.get(f"/batches/{batch.id}").text


def test_a_run_leads_to_its_batch(pages: httpx.Client, batch: SubmittedBatch) -> None:
    """From its own page."""
    assert f'href="/batches/{batch.id}"' in pages.get(f"/runs/{batch.runs[0].run_id}").text
