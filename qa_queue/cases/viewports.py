"""How the size of a page is written: `1280x720`, or `{width: 1280, height: 720}`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from qa_queue.cases.document_path import INVALID, DocumentPath, Invalid, kind_text
from qa_queue.cases.keys import Field, Keys
from qa_queue.cases.shapes import Number, Schema

Model = TypeVar("Model", bound=BaseModel)
_SIZE = Number(1, 10_000)
_KEYS = Keys(
    {
        "width": Field(_SIZE, "Width in CSS px.", required=True),
        "height": Field(_SIZE, "Height in CSS px.", required=True),
    }
)
_SIDE = r"([1-9]\d{0,3}|10000)"
_TEXT = re.compile(r"(\d{1,5})x(\d{1,5})")


@dataclass(frozen=True)
class ViewportShape(Generic[Model]):
    """A size, read as `model`."""

    model: type[Model]
    about: str

    def read(self, place: DocumentPath, value: Any) -> Model | Invalid:
        """The size as the model's class."""
        match = _TEXT.fullmatch(value) if isinstance(value, str) else None
        if match:
            value = {"width": int(match[1]), "height": int(match[2])}
        if not isinstance(value, dict):
            return place.wrong(f"{kind_text(value)} is no size; write 1280x720")
        values = _KEYS.read(place, value)
        return values if values is INVALID else self.model(**values)

    def schema(self) -> Schema:
        """The text or the mapping."""
        text: Schema = {"type": "string", "pattern": rf"^{_SIDE}x{_SIDE}$", "examples": ["1280x720"]}
        return {"description": self.about, "anyOf": [text, _KEYS.schema()]}
