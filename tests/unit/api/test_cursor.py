"""Cursors: back and forth, and nothing else."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_queue.api import pagination
from qa_queue.errors import InputError
from tests.support.records import run_record


def test_a_cursor_means_the_run_it_was_made_of() -> None:
    """Its moment and its id."""
    run = run_record("case")
    place = pagination.decode(pagination.encode(run))
    assert (place.queued_at, place.id) == (run.queued_at, run.id)


@given(st.text())
def test_any_name_survives(name: str) -> None:
    """Also one with the separator in it."""
    mended = name.encode("utf-8", "replace").decode()
    assert pagination.decode_name(pagination.encode_name(mended, "id")) == (mended, "id")


@given(st.text())
@pytest.mark.parametrize("decode", [pagination.decode, pagination.decode_name])
def test_what_is_no_cursor_is_refused(decode: object, text: str) -> None:
    """With an error for the caller, never another one."""
    with suppress(InputError):
        decode(text)
