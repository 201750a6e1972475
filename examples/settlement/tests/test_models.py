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
def test_an_amount_survives_every_conversion(minor: int) -> None:
    """To JSON and back, and to the whole number in the ledger."""
    sent = settlement(amount=Decimal(minor) / 100)
    read = Settlement.model_validate_json(sent.model_dump_json())
    assert read == sent
    assert read.amount_minor == minor


@pytest.mark.parametrize(
    "amount",
    [0, -1, "0.00", "-5", "1.005", "1e3", " 5", "", "five", 12.5, True, None, "NaN", "Infinity", Decimal("NaN")],
)
def test_only_exact_positive_amounts_are_accepted(amount: Any) -> None:
    """A float is always refused, because it may have been rounded."""
    with pytest.raises(ValidationError):
        settlement(amount=amount)


@pytest.mark.parametrize("amount", [Decimal(MOST_MINOR + 1) / 100, "99999999999999.99", Decimal("1E+20")])
def test_an_amount_that_json_readers_may_round_is_refused(amount: Any) -> None:
    """10^15 - 1 hundredths are the maximum."""
    with pytest.raises(ValidationError):
        settlement(amount=amount)


@pytest.mark.parametrize("amount", ["5", "5.0", "5.00", 5, Decimal("5"), Decimal("0.5E+1")])
def test_equal_amounts_are_written_in_the_same_way(amount: Any) -> None:
    """So that equal settlements have equal payloads."""
    assert settlement(amount=amount).model_dump(mode="json")["amount"] == "5.00"


@pytest.mark.parametrize("field", ["user_id", "place_id", "mission_id", "idempotency_key"])
@pytest.mark.parametrize("value", ["", "two words", "line\nbreak", "x" * 256, 7])
def test_names_are_plain_and_short(field: str, value: Any) -> None:
    """Every system reads them in the same way."""
    with pytest.raises(ValidationError):
        settlement(**{field: value})
