"""Runs and batches by the beginning of their id."""

from __future__ import annotations

import pytest

from qa_queue.errors import InputError, NotFoundError
from qa_queue.services import Backend
from qa_queue.settings import load_settings
from qa_queue.store.memory import MemoryStore
from tests.support.records import case_record, run_record

IDS = ("abcd1234-0000-4000-8000-000000000001", "abcd5678-0000-4000-8000-000000000002")


@pytest.fixture
def backend() -> Backend:
    """Two runs, each in a batch of the same id."""
    store, case = MemoryStore(), case_record()
    store.save([case, *(run_record(case, id=one, batch_id=one) for one in IDS)])
    return Backend(load_settings(), store)


def test_a_beginning_of_four_characters_names_a_run_or_batch(backend: Backend) -> None:
    assert backend.find_run("abcd5").id == IDS[1]
    assert backend.find_batch_id("ABCD1") == IDS[0]
    assert backend.find_batch_id(IDS[1]) == IDS[1]


def test_the_beginning_of_several_is_refused(backend: Backend) -> None:
    """With two of them."""
    with pytest.raises(InputError, match=f"several runs begin with 'abcd', such as {IDS[0]} and {IDS[1]}"):
        backend.find_run("abcd")
    with pytest.raises(InputError, match=r"several batches begin with 'abcd'.*give more of it"):
        backend.find_batch_id("abcd")


@pytest.mark.parametrize("ref", ["abc", "ffff", "no id"])
def test_what_begins_no_id_is_not_found(backend: Backend, ref: str) -> None:
    """A batch is looked up by what was given, whose error then names it."""
    with pytest.raises(NotFoundError, match=f"there is no run '{ref}'"):
        backend.find_run(ref)
    assert backend.find_batch_id(ref) == ref
