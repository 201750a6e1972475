"""The header that names a submission once."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="Sent again within 24 h, it gives what it made before.",
        examples=["deploy-4711"],
    ),
]
