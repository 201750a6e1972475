"""The base of every class of the case language, and the types of its fields.

A class declares its keys as pydantic fields with descriptions, and what else holds of them as class variables.
Parsing, JSON Schema, the reference in docs/cases.md, the export and the sentences in reports are derived from both.
Rules that only make sense for what people write hold for documents, which are validated with `DOCUMENT` as context;
values made in code may use the names of the attributes and need not follow them.

The modules of the language do without `from __future__ import annotations`: pydantic would compile the text of each
annotation again for every class that inherits it.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from math import isfinite
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_args

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, PydanticKnownError, core_schema

from qa_queue.cases.references import whole
from qa_queue.errors.schema_path import READS
from qa_queue.errors.validation import kind_text, problems_of
from qa_queue.models import Viewport

DOCUMENT: Mapping[str, bool] = {"document": True}
MAX_COUNT = 1_000_000
MAX_DURATION_MS = 24 * 3_600_000
DURATION_PATTERN = r"^\d+(\.\d+)?\s*(ms|s|m|h)$"
SPAN_PATTERN = r"^\d+(\.\d+)?\s*(ms|s|m|h|d)$"
_DAY_MS = 24 * 3_600_000
MAX_SPAN_MS = 3_650 * _DAY_MS
_DAYS = re.compile(r"(\d{1,4})\s*d")
NAME_PATTERN = "[A-Za-z_][A-Za-z0-9_]*"
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)\s*(ms|s|m|h)")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
_SIDE = r"([1-9]\d{0,3}|10000)"
T = TypeVar("T")


def expected(what: str, value: object, advice: str = "") -> ValueError:
    """Return the error of a value of another kind."""
    return ValueError(f"expected {what}, got {kind_text(value)}{advice}")


def refuse(texts: Mapping[str, str], value: Mapping[str, Any]) -> ValidationError:
    """Return an error with a message about each of these keys of the mapping that is being validated."""
    faults = [
        InitErrorDetails(
            type=PydanticCustomError("refused", "{text}", {"text": text}), loc=(key,), input=value[key]
        )
        for key, text in texts.items()
    ]
    return ValidationError.from_exception_data("", faults)


class Deferred(str):
    """A whole `${...}` in a field that is not text; the field is read when the value is known."""

    __slots__ = ()


class Vocabulary(BaseModel):
    """A word of the case language.

    `short` is the field that a value stands for when it is not a mapping, `spread` one whose keys stand in place of
    the model's own. Exactly one of the keys `one_of` is given; `needs` maps a key to another that it goes with.
    `mapping_only` is the mapping that is expected of a class without a short form, for messages.
    With `fills_in` a field that is not text may hold a whole `${...}`, which is filled in before the field is used;
    not so the field of `spread`, whose keys are known beforehand.
    """

    # A word is built when it is first used: Step once every action is declared, and an action as a part of Step.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,
    )
    short: ClassVar[str | None] = None
    spread: ClassVar[str | None] = None
    mapping_only: ClassVar[str | None] = None
    nullable: ClassVar[Collection[str]] = ()
    one_of: ClassVar[tuple[str, ...]] = ()
    at_most_one: ClassVar[tuple[tuple[str, ...], ...]] = ()
    needs: ClassVar[Mapping[str, str]] = {}
    is_step: ClassVar[bool] = False
    fills_in: ClassVar[bool] = False

    @field_validator("*", mode="wrap")
    @classmethod
    def _value_or_reference(cls, value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        """Keep a whole `${...}` in a field that is not text until its value is known."""
        if not cls.fills_in or not isinstance(value, str) or info.context is None or whole(value) is None:
            return read(value)
        try:
            return read(value)
        except ValidationError:
            if info.field_name in (None, cls.spread) or _holds_steps(cls, info.field_name):
                raise
            return Deferred(value)

    @model_validator(mode="before")
    @classmethod
    def _from_document(cls, value: Any, info: ValidationInfo) -> Any:
        if info.context is None or isinstance(value, cls):
            return value
        if isinstance(value, dict) and cls.spread is None:
            _refuse_empty(value, cls.nullable)
        return cls.long_form(value)

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return the mapping that a value of a document stands for.

        Raises:
            ValueError: the value can stand for none.
        """
        if cls.spread is not None:
            return {cls.spread: value}
        if isinstance(value, dict):
            return value
        if cls.mapping_only is not None:
            raise expected(cls.mapping_only, value)
        required = {name for name, spec in cls.model_fields.items() if spec.is_required()}
        if cls.short is None or required - {cls.short}:
            raise expected(f"a mapping with {cls.required_text()}", value)
        return {cls.short: value}

    @classmethod
    def required_text(cls) -> str:
        """Return the required keys, or what a mapping has at least, for messages."""
        return " and ".join(repr(key_of(cls, name)) for name, f in cls.model_fields.items() if f.is_required())

    @model_validator(mode="after")
    def _keys_agree(self, info: ValidationInfo) -> Self:
        if info.context is not None and (problems := list(self.disagreements())):
            raise ValueError("; ".join(problems))
        return self

    def disagreements(self) -> Iterable[str]:
        """Yield what is wrong with the given keys together."""
        given = self.given()
        missing = [
            f"{key!r} needs {other!r}" for key, other in self.needs.items() if {key, other} - given == {other}
        ]
        yield from missing
        chosen = [key for key in self.one_of if key in given]
        if self.one_of and not chosen and not missing:
            yield f"gives none of {', '.join(self.one_of)}"
        if len(chosen) > 1:
            yield f"{' and '.join(map(repr, chosen))} exclude each other: write a step for each"
        for names in self.at_most_one:
            if len(both := [name for name in names if name in given]) > 1:
                yield f"{' and '.join(map(repr, both))} exclude each other"

    def given(self) -> frozenset[str]:
        """Return the keys that the document has."""
        names = (name for name in self.model_fields_set if getattr(self, name) is not None)
        return frozenset(key_of(type(self), name) for name in names)


def schema_of(word: type[Vocabulary]) -> CoreSchema:
    """Return the schema of a part that is read as this word.

    The word's own schema is built when a document first has it: of the many, a case uses a few.
    """

    def read(value: Any, info: ValidationInfo) -> Any:
        by_alias, by_name = (True, False) if info.context is not None else (None, None)
        try:
            return word.model_validate(value, context=info.context, by_alias=by_alias, by_name=by_name)
        except RecursionError:
            raise PydanticKnownError("recursion_loop") from None

    return core_schema.with_info_plain_validator_function(
        read, metadata={READS: word}, json_schema_input_schema=core_schema.any_schema()
    )


def _refuse_empty(value: Mapping[str, Any], nullable: Collection[str]) -> None:
    empty = [key for key, inner in value.items() if inner is None and key not in nullable]
    if empty:
        raise refuse(dict.fromkeys(empty, "is empty: give a value, or remove the key"), value)


@cache
def keys_of(model: type[BaseModel], name: str) -> tuple[str, ...]:
    """Return the keys by which a document may write a field, the usual one first."""
    alias = model.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices)
    return (str(alias),) if alias is not None else (name,)


def key_of(model: type[BaseModel], name: str) -> str:
    """Return the key of a field in a document."""
    return keys_of(model, name)[0]


@cache
def all_keys(model: type[BaseModel]) -> frozenset[str]:
    """Return every key that a mapping of this model may have."""
    return frozenset(key for name in model.model_fields for key in keys_of(model, name))


@cache
def _reader_of(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    return TypeAdapter(model.model_fields[name].rebuild_annotation(), config=ConfigDict(strict=True))


def read_field(model: type[BaseModel], name: str, value: Any) -> Any:
    """Return a JSON value as the value of a field; text that a number or a list was expected for is read as JSON.

    Raises:
        ValueError: the field cannot have this value.
    """
    reader = _reader_of(model, name)
    for candidate in (value, _json_of(value)):
        try:
            return reader.validate_python(candidate, context=DOCUMENT)
        except ValidationError as error:
            problem = problems_of(error, reader)[0].text
    raise ValueError(problem)


def _json_of(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


@cache
def _holds_steps(model: type[Vocabulary], name: str) -> bool:
    return _mentions_steps(model.model_fields[name].annotation)


def _mentions_steps(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, Vocabulary):
        return annotation.is_step
    return any(_mentions_steps(inner) for inner in get_args(annotation))


@cache
def holds_json(model: type[BaseModel], name: str) -> bool:
    """Tell whether a field holds a JSON value of any kind."""
    return JSON in model.model_fields[name].metadata


def _json_value(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float() if isfinite(value):
            return value
        case list() | tuple():
            return [_json_value(item) for item in value]
        case dict():
            return {str(key): _json_value(item) for key, item in value.items()}
    raise expected("text, a number, true or false, a list or a mapping", value)


def parse_duration(value: Any) -> int | None:
    """Return the ms of `500ms`, `1.5s`, `1m`, `1h` or a whole number of ms; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    return round(float(match[1]) * _UNIT_MS[match[2]]) if match else None


def duration_text(milliseconds: int) -> str:
    """Return `90s` or `1500ms`: seconds where they are whole."""
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def _duration(value: Any) -> int:
    parsed = parse_duration(value)
    if parsed is None:
        raise ValueError(f"{kind_text(value)} is not a duration: write 500ms, 5s, 1m or a number of milliseconds")
    if not 1 <= parsed <= MAX_DURATION_MS:
        raise ValueError(f"{kind_text(value)} is out of range: 1ms to 24h")
    return parsed


def _span(value: Any) -> int:
    match = _DAYS.fullmatch(value.strip()) if isinstance(value, str) else None
    parsed = int(match[1]) * _DAY_MS if match else parse_duration(value)
    if parsed is None or not 0 < parsed <= MAX_SPAN_MS:
        raise ValueError(f"{kind_text(value)} is not a span of time: write 30s, 5m, 2h or 3d, up to 3650d")
    return parsed


def parse_size(value: Any) -> Any:
    """Return `1280x720` as the mapping of its sides; a mapping as it is."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match:
        return {"width": int(match[1]), "height": int(match[2])}
    if isinstance(value, (dict, BaseModel)):
        return value
    raise ValueError(f"{kind_text(value)} is not a size: write 1280x720")


def _name(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(NAME_PATTERN, value):
        raise ValueError("a name has letters, digits and _ and does not start with a digit")
    return value


def one_or_many(value: Any) -> Any:
    """Return a single value as a list of it."""
    return value if isinstance(value, (list, tuple)) else [value]


JSON = "JSON"
"""Marks a field that holds a JSON value; a whole `${...}` in it keeps the type of its value."""
Json = Annotated[Any, BeforeValidator(_json_value), JSON]
"""A JSON value of any kind."""
Words = Annotated[str, Field(min_length=1)]
Many = Annotated[tuple[T, ...], Field(strict=False)]
_AtLeastOne = Annotated[Many[Words], Field(min_length=1)]
OneOrMoreWords = Annotated[_AtLeastOne, BeforeValidator(one_or_many, json_schema_input_type=Words | _AtLeastOne)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Side = Annotated[int, Field(ge=1, le=10_000)]
Name = Annotated[str, BeforeValidator(_name)]
JsonValues = Annotated[dict[Name, Json], JSON]
NAMES_SCHEMA: JsonDict = {"propertyNames": {"pattern": f"^{NAME_PATTERN}$"}}
DURATION_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": DURATION_PATTERN},
        {"type": "integer", "minimum": 1, "maximum": MAX_DURATION_MS},
    ]
}
Span = Annotated[
    int,
    BeforeValidator(_span),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": SPAN_PATTERN}, {"type": "integer", "minimum": 1}]}),
]
Duration = Annotated[int, BeforeValidator(_duration), WithJsonSchema(DURATION_SCHEMA)]
SIZE_SCHEMA = {"type": "string", "pattern": rf"^{_SIDE}x{_SIDE}$", "examples": ["1280x720"]}
SIDES_SCHEMA = {
    "type": "object",
    "properties": {
        side: {"type": "integer", "minimum": 1, "maximum": 10_000, "description": f"{side.title()} in CSS px."}
        for side in ("width", "height")
    },
    "required": ["width", "height"],
    "additionalProperties": False,
}
Size = Annotated[Viewport, BeforeValidator(parse_size), WithJsonSchema({"anyOf": [SIZE_SCHEMA, SIDES_SCHEMA]})]
