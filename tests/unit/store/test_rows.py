"""Records as rows: sanitized, in order, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_queue.errors import StoreSchemaError
from qa_queue.store.mapping import by_kind, chunks, run_of, to_record, to_row, uuids
from qa_queue.store.records import CaseRecord, RunRecord, StepRecord
from qa_queue.store.sanitize import sanitize
from tests.support.records import (
    NOON,
    adaptation_row,
    artifact_record,
    case_record,
    pattern_record,
    run_record,
    step_record,
)

CASE = case_record()
RUN = run_record(CASE)
any_text = st.text(st.characters(exclude_categories=()))
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
    max_leaves=8,
)


@given(documents)
def test_sanitized_values_are_json_that_postgres_keeps(document: Any) -> None:
    """It encodes as strict JSON in UTF-8 without NUL, and sanitizing it again changes nothing."""
    sanitized = sanitize(document)
    encoded = json.dumps(sanitized, allow_nan=False, ensure_ascii=False).encode()
    assert b"\\u0000" not in encoded
    assert sanitize(sanitized) == sanitized


def test_sound_values_are_not_touched() -> None:
    """Only what cannot be kept is changed."""
    sound = {"text": "Ü 😀", "list": [1, 2.5, None, True]}
    assert sanitize(sound) == sound


def test_parents_come_first_and_the_last_word_counts() -> None:
    """Kinds in the order of their tables, one record an id."""
    first, last = step_record(RUN, name="first"), step_record(RUN, name="last")
    grouped = by_kind([first, RUN, last, CASE])
    assert grouped == [(CaseRecord, [CASE]), (RunRecord, [RUN]), (StepRecord, [last])]


def test_a_case_row_leaves_out_what_the_store_keeps() -> None:
    """Version, scores and times are not sent."""
    assert set(to_row(CASE)) == {"id", "key", "name", "source", "definition", "step_lines", "content_hash", "tags"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-01-08T12:00:00+00:00", NOON),
        ("2026-01-08 12:00:00+00", NOON),
        ("2026-01-08 12:00:00.5+00", NOON.replace(microsecond=500_000)),
        ("2026-01-08T12:00:00Z", NOON),
    ],
)
def test_times_are_read_as_every_server_writes_them(written: str, read: Any) -> None:
    """PostgREST writes ISO 8601, Supabase Lite as Postgres does after a write."""
    assert to_record(RunRecord, to_row(RUN) | {"queued_at": written}).queued_at == read


def test_a_row_that_does_not_fit_is_named() -> None:
    """The message has the table, the row, the column and the sanitize."""
    with pytest.raises(StoreSchemaError, match=rf"{RUN.id} of test_runs .* status: .*qa-queue migrate"):
        to_record(RunRecord, to_row(RUN) | {"status": "paused"})
    with pytest.raises(StoreSchemaError, match="queued_at"):
        to_record(RunRecord, to_row(RUN) | {"queued_at": "noon"})


def test_records_know_their_run() -> None:
    """Cases and patterns belong to none."""
    own = [RUN, step_record(RUN), artifact_record(RUN), adaptation_row(RUN)]
    assert {run_of(record) for record in own} == {RUN.id}
    assert {run_of(CASE), run_of(pattern_record(CASE))} == {None}


def test_ids_are_uuids_each_once() -> None:
    """Others are left out, capital letters and order do not matter."""
    assert uuids([RUN.id.upper(), "x", RUN.id, ""]) == [RUN.id]


def test_chunks_are_whole() -> None:
    """Nothing is lost at the end."""
    assert [list(part) for part in chunks([1, 2, 3, 4, 5], 2)] == [[1, 2], [3, 4], [5]]
    assert list(chunks([], 2)) == []
