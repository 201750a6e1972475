"""Payload and result of a job. Amounts are exact; no float ever holds money."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, WithJsonSchema

from qa_queue import Frozen

MOST_MINOR = 10**15 - 1  # less than 2^53, so that every JSON reader keeps it exact
MOST = Decimal(MOST_MINOR).scaleb(-2)
_WRITTEN = re.compile(r"[1-9][0-9]{0,12}(\.[0-9]{1,2})?|0\.(0[1-9]|[1-9][0-9]?)")
_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": rf"^({_WRITTEN.pattern})$",
    "description": "More than 0, with at most two decimals.",
    "examples": ["12.50"],
}


def _exact(value: Any) -> Any:
    """Accept only exact amounts: a text such as 12.50, a Decimal, an int."""
    if isinstance(value, str) and _WRITTEN.fullmatch(value):
        return Decimal(value)
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ValueError("write the amount as a text with at most two decimals, such as '12.50'")


def _in_hundredths(amount: Decimal) -> Decimal:
    """Return the amount with two decimals, so that equal amounts are written in the same way."""
    return amount.quantize(Decimal("0.01"))


Money = Annotated[
    Decimal,
    BeforeValidator(_exact),
    Field(gt=0, le=MOST, decimal_places=2, allow_inf_nan=False),
    AfterValidator(_in_hundredths),
    WithJsonSchema(_SCHEMA),
]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
Key = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[!-~]+$")]


class Settlement(Frozen):
    """The payload of a job: who is paid how much, for which mission at which place; the key is its identity."""

    user_id: Name
    place_id: Name
    mission_id: Name
    amount: Money
    idempotency_key: Key
    metadata: dict[str, JsonValue] = Field(default_factory=dict, max_length=50)

    @property
    def amount_minor(self) -> int:
        """The amount in hundredths."""
        return int(self.amount * 100)


class Settled(Frozen):
    """The result of a job: its entry in the ledger. `fresh` is False if an earlier attempt posted it."""

    entry_id: str
    idempotency_key: str
    amount: Money
    posted_at: datetime
    fresh: bool
