"""The renderer of validation errors: path, line, message and the nearest known word."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from qa_queue.errors.validation import did_you_mean, kind_text, nearest, path_text, printable, problems_of


class Colour(StrEnum):
    """Words to choose from."""

    RED = "red"
    GREEN = "green"


class Strict(BaseModel):
    """A model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Mail(Strict):
    """One branch of a discriminated union."""

    kind: Literal["mail"]
    address: str


class Hook(Strict):
    """The other branch."""

    kind: Literal["hook"]
    url: str


class Part(Strict):
    """A model inside a list, which holds itself."""

    title: str = Field(default="part", min_length=1, max_length=5)
    parts: list[Part] = []


class Document(Strict):
    """Every kind of value that a document may hold."""

    name: str = "x"
    amount: int = Field(default=1, ge=0, le=10)
    share: float = Field(default=0.5, gt=0)
    flag: bool = False
    colour: Annotated[Colour, Field(strict=False)] = Colour.RED
    mode: Literal["off", "suggest", "auto"] = "off"
    parts: list[Part] = []
    pair: Annotated[list[int], Field(min_length=2, max_length=2)] = [1, 2]
    channel: Annotated[Mail | Hook, Field(discriminator="kind")] | None = None
    target: str | Part | None = None
    level: int | str = 1
    table: dict[str, int] = {}
    password: SecretStr = SecretStr("")
    renamed: int = Field(default=1, validation_alias=AliasChoices("time_limit", "limit"))
    even: int = 2
    low: int = 0
    high: int = 9

    @field_validator("even")
    @classmethod
    def _is_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("is not even: write 2 or 4")
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Document:
        if self.low > self.high:
            raise ValueError("low is more than high")
        return self


def problems(values: Any, **options: Any) -> list[str]:
    """The problems of a document that must be refused."""
    with pytest.raises(ValidationError) as caught:
        Document.model_validate(values)
    return [str(problem) for problem in problems_of(caught.value, Document, **options)]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"nam": "x"}, "nam: unknown key 'nam'; did you mean 'name'?"),
        ({"limti": 1}, "limti: unknown key 'limti'; did you mean 'limit'?"),
        ({"parts": [{"titel": "x"}]}, "parts[0].titel: unknown key 'titel'; did you mean 'title'?"),
        ({"parts": [{"zzz": 1}]}, "parts[0].zzz: unknown key 'zzz'; known are parts, title"),
        ({"parts": [{"parts": [{"x": 1}]}]}, "parts[0].parts[0].x: unknown key 'x'; known are parts, title"),
        ({"name": 7}, "name: expected text, got the number 7; put it in quotes"),
        ({"name": ["x"]}, "name: expected text, got a list"),
        ({"name": None}, "name: expected text, got nothing"),
        ({"name": {}}, "name: expected text, got a mapping"),
        ({"amount": 11}, "amount: 11 is out of range: 0 to 10"),
        ({"amount": 1.5}, "amount: expected a whole number, got the number 1.5"),
        ({"amount": True}, "amount: expected a whole number, got true"),
        ({"share": 0}, "share: 0 is out of range: more than 0"),
        ({"share": "x"}, "share: expected a number, got 'x'"),
        ({"flag": "yes"}, "flag: expected true or false, got 'yes'"),
        ({"colour": "gren"}, "colour: 'gren' is not one of red, green; did you mean 'green'?"),
        ({"colour": []}, "colour: a list is not one of red, green"),
        ({"mode": "sugest"}, "mode: 'sugest' is not one of off, suggest, auto; did you mean 'suggest'?"),
        ({"parts": "x"}, "parts: expected a list, got 'x'"),
        ({"parts": [1]}, "parts[0]: expected a mapping, got the number 1"),
        ({"parts": [{"title": ""}]}, "parts[0].title: must not be empty"),
        ({"parts": [{"title": "long title"}]}, "parts[0].title: is 10 characters long; 5 are allowed"),
        ({"pair": [1]}, "pair: expected 2 items, got 1"),
        ({"channel": {"kind": "mial"}}, "channel: 'mial' is not a known kind; did you mean 'mail'?"),
        ({"channel": {"kind": "mail"}}, "channel: 'address' is missing"),
        (
            {"channel": {"kind": "mail", "address": "a", "url": "b"}},
            "channel.url: unknown key 'url'; known are address, kind",
        ),
        ({"target": 5}, "target: expected text or a mapping, got the number 5"),
        ({"target": {"titel": "x"}}, "target.titel: unknown key 'titel'; did you mean 'title'?"),
        ({"level": []}, "level: expected a whole number or text, got a list"),
        ({"table": {"a": "b"}}, "table.a: expected a whole number, got 'b'"),
        ({"table": {5: 5}}, "table[5]: expected text, got the number 5; put it in quotes"),
        ({"even": 3}, "even: is not even: write 2 or 4"),
        ({"low": 10}, "low is more than high"),
        ({"password": 1234}, "password: expected text, got (hidden)"),
        ("x", "expected a mapping, got 'x'"),
    ],
)
def test_each_fault_has_its_own_words(values: Any, problem: str):
    """The path names the value, the text says what is wrong and what to write."""
    assert problems(values) == [problem]


def test_lines_and_source_stand_before_the_path():
    """A path without a line of its own has that of the closest value around it."""
    lines = {(): 1, ("parts",): 3, ("parts", 0): 4, ("name",): 9}

    assert problems({"name": 1, "parts": [{"x": 1}]}, source="a.yaml", lines=lines) == [
        "a.yaml:4: parts[0].x: unknown key 'x'; known are parts, title",
        "a.yaml:9: name: expected text, got the number 1; put it in quotes",
    ]


def test_a_source_without_lines_stands_alone():
    """Documents that were not read from a file have no lines."""
    assert problems({"flag": 1}, source="case") == ["case: flag: expected true or false, got the number 1"]


def test_an_error_raised_inside_a_validator_keeps_its_place():
    """A validator may read a part by another model."""

    class Outer(BaseModel):
        inner: Any

        @field_validator("inner")
        @classmethod
        def _read(cls, value: Any) -> Part:
            return Part.model_validate(value)

    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"inner": {"title": ""}})

    assert [str(one) for one in problems_of(caught.value, Outer)] == ["inner.title: must not be empty"]


def test_without_a_model_the_location_is_the_path():
    """Known words are left out."""
    with pytest.raises(ValidationError) as caught:
        Document.model_validate({"nam": 1, "mode": "on"})

    assert [str(one) for one in problems_of(caught.value)] == [
        "mode: 'on' is not one of off, suggest, auto",
        "nam: unknown key 'nam'",
    ]


def test_leading_parts_of_the_location_are_removed():
    """FastAPI says first which part of the request it is."""
    with pytest.raises(ValidationError) as caught:
        Document.model_validate({"nam": 1})
    items = [item | {"loc": ("body", *item["loc"])} for item in caught.value.errors()]

    found = problems_of(RequestValidationError(items), Document, within=("body",))

    assert [str(one) for one in found] == ["nam: unknown key 'nam'; did you mean 'name'?"]


def test_a_type_adapter_serves_as_the_model():
    """Lists and unions at the top of a document have no class of their own."""
    adapter = TypeAdapter(list[Part])
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python([{}, {"titel": 1}])

    assert [str(one) for one in problems_of(caught.value, adapter)] == [
        "[1].titel: unknown key 'titel'; did you mean 'title'?"
    ]


def test_the_digits_of_a_huge_number_are_not_printed():
    """Python refuses to print more than 4,300 digits."""
    assert kind_text(10**5000) == "the number with more than 150 digits"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("READ", "; did you mean 'red'?"),
        ("zzzzzz", "; known are blue, red"),
    ],
)
def test_the_nearest_word_ignores_case(name: str, hint: str):
    """If no word is near, all are listed when they are few."""
    assert did_you_mean(name, ["red", "blue"]) == hint


def test_many_known_words_are_not_listed():
    """A long list would hide the fault."""
    assert did_you_mean("zzzzzz", [f"word{number}" for number in range(7)]) == ""
    assert nearest("zzzzzz", ["red"]) is None


def test_paths_are_written_as_people_write_them():
    """Indices stand in brackets."""
    assert path_text(("steps", 3, "click", "target")) == "steps[3].click.target"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Sign in\n\tänd ☕", "Sign in\n\tänd ☕"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("a\rb\x00\x07\x7f", r"a\rb\x00\x07\x7f"),
        ("safe\u202eexe.txt", r"safe\u202eexe.txt"),
    ],
)
def test_characters_that_a_terminal_obeys_are_written_out(text: str, shown: str) -> None:
    """Whatever a site or a case calls itself."""
    assert printable(text) == shown
