"""What a job is made of, and what of it strangers' eyes may see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_queue.queues.jobs import DESCRIPTION_LENGTH, START_ALLOWANCE_S, display_name, run_timeout_s


@pytest.mark.parametrize(
    ("timeout_ms", "retries", "seconds"), [(60_000, 0, 60), (60_000, 2, 180), (1, 0, 1), (1500, 1, 3)]
)
def test_the_backstop_leaves_room_forevery_try_and_the_work_around(
    timeout_ms: int, retries: int, seconds: int
) -> None:
    assert run_timeout_s(timeout_ms, retries) == seconds + START_ALLOWANCE_S


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Order a coffee", "Order a coffee"),
        ("Kaffee für 3 €", "Kaffee für 3 €"),
        ("<script>alert(1)</script>", "(script)alert(1)(/script)"),
        ("&lt;b&gt;", "+lt;b+gt;"),
        ("line one\nINFO: forged line\r\x1b[31m", "line one INFO: forged line [31m"),
        ("right\u202eto left", "right to left"),
        ("  ", ""),
    ],
)
def test_a_name_is_shown_without_markup_or_control_characters(name: str, shown: str) -> None:
    assert display_name(name) == shown


@given(st.text(max_size=300))
def test_no_name_can_carry_markup_into_a_page_or_a_line_break_into_a_log(name: str) -> None:
    shown = display_name(name)
    assert not set(shown) & set("<>&")
    assert shown.isprintable()
    assert len(shown) <= DESCRIPTION_LENGTH
