"""What travels: a settlement to be posted, and what was posted. Amounts are exact; no float ever holds money."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, WithJsonSchema

from qa_queue.models import Frozen

MOST_MINOR = 10**15 - 1  # less than 2^53, so that every reader of JSON keeps it exactly
MOST = Decimal(MOST_MINOR).scaleb(-2)
_WRITTEN = re.compile(r"[1-9][0-9]{0,12}(\.[0-9]{1,2})?|0\.(0[1-9]|[1-9][0-9]?)")
_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": rf"^({_WRITTEN.pattern})$",
    "description": "More than 0, with at most two decimals.",
    "examples": ["12.50"],
}


def _exact(value: Any) -> Any:
    """Only what says an amount exactly: a text such as 12.50, a Decimal, a whole number of Python's."""
    if isinstance(value, str) and _WRITTEN.fullmatch(value):
        return Decimal(value)
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ValueError("write the amount as a text with at most two decimals, such as '12.50'")


def _in_hundredths(amount: Decimal) -> Decimal:
    """The amount with two decimals, so that one amount is written in one way."""
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
    """The payload of a job: who is paid how much, for which mission at which place. The key names it for ever."""

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
    """What a job returns: its entry in the ledger. `fresh` is False when an earlier attempt had posted it."""

    entry_id: str
    idempotency_key: str
    amount: Money
    posted_at: datetime
    fresh: bool
