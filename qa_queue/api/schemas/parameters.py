"""The header that names a submission once.

The name of a queue in a request: one of those that there are, which the API's document lists.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header
from pydantic import AfterValidator, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from qa_queue.errors import UnknownQueueError
from qa_queue.extensions import known_queue, queue_names

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


class _Listed:
    """Adds the names to the document when it is made, for installed packages add some."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        found: dict[str, Any] = handler(schema)
        return {**found, "enum": list(queue_names())}


def _known(name: str) -> str:
    try:
        return known_queue(name)
    except UnknownQueueError as error:
        raise PydanticCustomError("unknown_queue", "{message}", {"message": str(error)}) from None


KnownQueue = Annotated[str, AfterValidator(_known), _Listed()]
