"""Cursors: back and forth, and nothing else."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable

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
    sanitized = name.encode("utf-8", "replace").decode()
    assert pagination.decode_name(pagination.encode_name(sanitized, "id")) == (sanitized, "id")


def packed(text: bytes) -> str:
    return urlsafe_b64encode(text).decode().rstrip("=")


@pytest.mark.parametrize("decode", [pagination.decode, pagination.decode_name])
@pytest.mark.parametrize("text", ["", "next", "f", "****", "ä", packed(b"no separator"), packed(b"\xff|\xfe")])
def test_a_text_that_is_not_a_cursor_is_refused(decode: Callable[[str], object], text: str) -> None:
    with pytest.raises(InputError, match="cursor"):
        decode(text)


@pytest.mark.parametrize("text", [b"today|0", b"2026-01-08T12:00:00+00:00|run-1", b"|"])
def test_a_cursor_of_runs_has_a_moment_and_a_uuid(text: bytes) -> None:
    with pytest.raises(InputError, match="cursor"):
        pagination.decode(packed(text))


@given(st.text() | st.binary().map(packed))
def test_every_text_is_refused_or_is_the_cursor_of_a_name(text: str) -> None:
    """Decoding raises no other error."""
    try:
        name, row_id = pagination.decode_name(text)
    except InputError:
        return
    assert pagination.decode_name(pagination.encode_name(name, row_id)) == (name, row_id)
