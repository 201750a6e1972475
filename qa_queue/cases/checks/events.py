"""Checks of downloads and dialogs."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from qa_queue.cases.checks.base import PageCheck, named
from qa_queue.cases.checks.element import CountRange
from qa_queue.cases.json_path import JsonPath
from qa_queue.cases.patterns import Text
from qa_queue.cases.traffic import Regex
from qa_queue.cases.vocabulary import JSON, Json, OneOrMoreWords, Vocabulary, expected
from qa_queue.errors.validation import kind_text

DialogKind = Literal["alert", "confirm", "prompt", "beforeunload"]
MAX_BYTES = 10_000_000_000
_UNITS = {"B": 1, "kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,3})?)\s*(B|kB|MB|GB)")


def _bytes(value: Any) -> int:
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    size = round(float(match[1]) * _UNITS[match[2]]) if match else value
    if not isinstance(size, int) or isinstance(size, bool):
        text = f"{kind_text(value)} is not a size: write 120kB, 2MB or a number of bytes"
        raise ValueError(text)  # noqa: TRY004 - so that pydantic reports it
    return size


_BYTES_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": MAX_BYTES},
        {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(B|kB|MB|GB)$"},
    ]
}
Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=0, le=MAX_BYTES), WithJsonSchema(_BYTES_SCHEMA)]


class SizeRange(CountRange):
    """Limits of the size of a file."""

    greater: Bytes | None = Field(None, description="More than this.")
    less: Bytes | None = Field(None, description="Less than this.")
    at_least: Bytes | None = Field(None, description="This or more.")
    at_most: Bytes | None = Field(None, description="This or less.")


FileSize = Annotated[
    Annotated[Bytes, Tag("number")] | Annotated[SizeRange, Tag("range")],
    Discriminator(lambda value: "range" if isinstance(value, (dict, SizeRange)) else "number"),
]


class FileContent(Vocabulary):
    """The content of a file: its whole text, or parts of it."""

    short: ClassVar[str | None] = "equals"
    fills_in: ClassVar[bool] = True
    equals: str | None = Field(None, description="The whole text; a line may end in CR LF.")
    contains: OneOrMoreWords | None = Field(None, description="A part of the text, or a list of parts.")
    matches: Regex | None = Field(None, description="A part of the text matches this regular expression.")
    json_parts: Annotated[dict[JsonPath, Json], JSON] | None = Field(
        None,
        validation_alias="json",
        serialization_alias="json",
        description='Expected values by their paths in the JSON, as in {"$.items[0].id": 7}.',
    )

    def disagreements(self) -> Iterable[str]:
        """Yield what is wrong with the given keys together."""
        yield from super().disagreements()
        if not self.given():
            yield "gives none of equals, contains, matches, json"


class FilePattern(Vocabulary):
    """A file that a page offers for download."""

    fills_in: ClassVar[bool] = True
    name: Text | None = Field(
        None, description="The name that the site suggests, or a regular expression such as `/orders-.*[.]csv/`."
    )
    size: FileSize | None = Field(
        None, description="The size, such as `120kB`, or limits of it, as {at_least: 1, at_most: 2MB}."
    )
    content: FileContent | None = Field(
        None, description="The whole text, or a mapping with `contains`, `matches` or `json`."
    )

    @property
    def wanted(self) -> str:
        """The file in words, as `a download 'orders.csv'`."""
        return "a download" if self.name is None else f"a download {self.name!r}"


class DownloadPattern(FilePattern):
    """A download: `true`, its name, or a mapping."""

    short: ClassVar[str | None] = "name"

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return the mapping that true or a name stands for."""
        if value is True:
            return {}
        if not isinstance(value, (dict, str)):
            raise expected("true, the name of a file, or a mapping such as {name: orders.csv}", value)
        return super().long_form(value)


class ToHaveDownload(PageCheck, keyword="download"):
    """A page began this download since the case began, or begins it in time."""

    download: Annotated[DownloadPattern, Field()] = named(
        "to_have_download",
        "download",
        "`true`, the name of the file, or a mapping with `name`, `size` and `content`.",
    )

    def sentence(self) -> str:
        """Return the check in words."""
        return self.expectation().removeprefix("a ")

    def expectation(self) -> str:
        """Return the expected download for the message of a failure."""
        wanted = self.download.wanted
        return f"no{wanted.removeprefix('a')}" if self.negate else wanted


class DialogPattern(Vocabulary):
    """A dialog: `true`, its message, or a mapping."""

    short: ClassVar[str | None] = "message"
    message: Text | None = Field(None, description="Its message, white space folded, or a regular expression.")
    kind: DialogKind | None = Field(
        None, validation_alias="type", serialization_alias="type", description="Its type."
    )
    answer: Literal["accept", "dismiss"] | None = Field(None, description="The answer that it received.")

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return the mapping that true or a message stands for."""
        if value is True:
            return {}
        if not isinstance(value, (dict, str)):
            raise expected("true, a message, or a mapping such as {type: confirm}", value)
        return super().long_form(value)

    def __str__(self) -> str:
        words: list[str] = [self.kind or "dialog"]
        words += [repr(self.message)] if self.message is not None else []
        words += [f"that was {'accepted' if self.answer == 'accept' else 'dismissed'}"] if self.answer else []
        return " ".join(words)


class ToHaveDialog(PageCheck, keyword="dialog"):
    """A page showed this dialog since the case began, or shows it in time; a step or the case answers it."""

    dialog: Annotated[DialogPattern, Field()] = named(
        "to_have_dialog", "dialog", "`true`, the message, or a mapping with `message`, `type` and `answer`."
    )

    def sentence(self) -> str:
        """Return the check in words."""
        return self.expectation()

    def expectation(self) -> str:
        """Return the expected dialog for the message of a failure."""
        return f"{'no ' if self.negate else ''}{self.dialog}"
