"""Payloads and money."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from qa_settlement import Settlement
from qa_settlement.models import MOST_MINOR


def settlement(**overrides: Any) -> Settlement:
    fields = {
        "user_id": "ann",
        "place_id": "cafe-7",
        "mission_id": "m-3",
        "amount": "12.50",
        "idempotency_key": "k-1",
    }
    return Settlement(**fields | overrides)


@given(st.integers(min_value=1, max_value=MOST_MINOR))
def test_an_amount_is_the_same_after_every_journey(minor: int) -> None:
    """Through JSON and through the whole number that the ledger holds."""
    sent = settlement(amount=Decimal(minor) / 100)
    read = Settlement.model_validate_json(sent.model_dump_json())
    assert read == sent
    assert read.amount_minor == minor


@pytest.mark.parametrize(
    "amount",
    [0, -1, "0.00", "-5", "1.005", "1e3", " 5", "", "five", 12.5, True, None, "NaN", "Infinity", Decimal("NaN")],
)
def test_what_is_no_exact_amount_above_nothing_is_refused(amount: Any) -> None:
    """A float is refused whatever it holds, for it may have been rounded already."""
    with pytest.raises(ValidationError):
        settlement(amount=amount)


@pytest.mark.parametrize("amount", [Decimal(MOST_MINOR + 1) / 100, "99999999999999.99", Decimal("1E+20")])
def test_more_than_every_reader_keeps_exactly_is_refused(amount: Any) -> None:
    """10^15 - 1 hundredths are the most."""
    with pytest.raises(ValidationError):
        settlement(amount=amount)


@pytest.mark.parametrize("amount", ["5", "5.0", "5.00", 5, Decimal("5"), Decimal("0.5E+1")])
def test_one_amount_is_written_in_one_way(amount: Any) -> None:
    """However it was given, so that the same settlement is the same payload."""
    assert settlement(amount=amount).model_dump(mode="json")["amount"] == "5.00"


@pytest.mark.parametrize("field", ["user_id", "place_id", "mission_id", "idempotency_key"])
@pytest.mark.parametrize("value", ["", "two words", "line\nbreak", "x" * 256, 7])
def test_names_are_plain_and_short(field: str, value: Any) -> None:
    """So that they mean the same everywhere."""
    with pytest.raises(ValidationError):
        settlement(**{field: value})
