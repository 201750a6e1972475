"""The base of the checks, and the type of a field that holds one."""

from collections.abc import Collection
from functools import cache
from typing import Annotated, Any, ClassVar, Self

from pydantic import AliasChoices, Discriminator, Field, GetCoreSchemaHandler, Tag, ValidationInfo, model_validator
from pydantic_core import CoreSchema, core_schema

from qa_queue.cases.targets import TARGET_KEYS, Target, with_target
from qa_queue.cases.vocabulary import Vocabulary, expected, keys_of, refuse, schema_of
from qa_queue.errors.validation import did_you_mean

CHECKS: dict[str, "type[Check]"] = {}
"""Every check by its keyword, in the order of their declaration."""
FORMS: dict[str, "type[Check]"] = {}
"""Checks that the key of their subject names, beside one of several comparisons."""
BESIDE_TARGET = ("css", "role")
"""The keywords of checks that are kinds of targets: they are checks where the element stands under `target`."""
_WORDS_OF_FLAGS = ("true", "yes", "on", "false", "no", "off")


class Check(Vocabulary):
    """One thing to be asserted: one subclass for each check of the format, `class ToHaveText(..., keyword="text")`.

    The field with the name of the keyword, or `field`, holds the expected value. A check is None or to be made: one
    that is given as false is kept as its opposite, `checked=False` as `checked=True, negate=True`.
    `records_traffic` checks need the requests of pages from the beginning of the case.
    """

    fills_in: ClassVar[bool] = True
    records_traffic: ClassVar[bool] = False
    keyword: ClassVar[str] = ""
    field: ClassVar[str] = ""
    words: ClassVar[str] = ""
    negate: bool = Field(
        False, validation_alias="not", serialization_alias="not", description="Assert the opposite."
    )

    def __init_subclass__(cls, keyword: str = "", words: str = "", form: str = "", field: str = "") -> None:
        if form:
            FORMS[form] = cls
        if keyword:
            cls.keyword, cls.words, cls.field = keyword, words or keyword.replace("_", " "), field or keyword
            CHECKS[keyword] = cls

    @property
    def wanted(self) -> Any:
        """The expected value."""
        return getattr(self, self.field)

    @property
    def subject(self) -> Target | None:
        """The element that is checked."""
        found = getattr(self, "target", None)
        return found if isinstance(found, Target) else None

    @property
    def requires_presence(self) -> bool:
        """True where the check can only hold for an element that is there."""
        return True

    def sentence(self) -> str:
        """Return the check in words, as `heading text 'Hi'`."""
        name = f"{'not ' if self.negate else ''}{self.keyword.replace('_', ' ')}"
        wanted = "" if self.wanted is True else f" {self.wanted_text()}"
        return f"{self.subject or 'page'} {name}{wanted}"

    def expectation(self) -> str:
        """Return the expected state for the message of a failure, as `text 'Welcome'` or `not to be visible`."""
        case = " in any case" if getattr(self, "ignore_case", False) else ""
        return f"{'not ' if self.negate else ''}{self.words} {self.wanted_text()}{case}"

    def wanted_text(self) -> str:
        """Return the expected value in words, as `'Welcome'`, `['Tea', /oat/i]` or `href '/home'`."""
        match self.wanted:
            case tuple() as items:
                return repr(list(items))
            case dict() as named:
                return ", ".join(f"{name} {value!r}" for name, value in named.items())
            case Vocabulary() as pattern:
                return str(pattern)
        return repr(self.wanted)


class PageCheck(Check):
    """A check of the page."""

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Refuse a target."""
        if "target" in value:
            raise ValueError(f"{_written_key(cls, value)!r} goes without 'target'")
        return value


class TrueOrMapping(Vocabulary):
    """Settings of a check that needs none: `true`, or a mapping; `settings` names one, for messages."""

    settings: ClassVar[str] = "a mapping with 'ignore'"

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return the mapping that true stands for."""
        if value is True:
            return {}
        if not isinstance(value, dict):
            raise expected(f"true, or {cls.settings}", value)
        return value


class ElementCheck(Check):
    """A check of an element; without `needs_target`, one that names no element is about the whole page."""

    needs_target: ClassVar[bool] = True
    target: Target | None = Field(None, description="The element.")

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return the check with its element under `target`."""
        value = with_target(cls, value)
        given = "target" in value or not cls.needs_target
        if not given and not cls.names_element(value[_written_key(cls, value)]):
            raise ValueError(f"{_written_key(cls, value)!r} needs 'target'")
        return value

    @classmethod
    def names_element(cls, wanted: Any) -> bool:
        """Tell whether the expected value names the element itself, so that no target is needed."""
        del wanted
        return False


def _flag_or_target(value: Any) -> str:
    is_target = isinstance(value, (dict, Target)) or (
        isinstance(value, str) and value.lower() not in _WORDS_OF_FLAGS
    )
    return "target" if is_target else "flag"


Flag = Annotated[Annotated[bool, Tag("flag")] | Annotated[Target, Tag("target")], Discriminator(_flag_or_target)]


class FlagCheck(ElementCheck):
    """A check of a state: `visible: true`, or `visible: TARGET` where nothing else is said of the element."""

    @classmethod
    def names_element(cls, wanted: Any) -> bool:
        """Tell whether the expected value is the element."""
        return _flag_or_target(wanted) == "target"

    @model_validator(mode="after")
    def _normal_form(self) -> Self:
        match self.wanted:
            case Target() if self.target is not None:
                raise ValueError("gives two elements: write true, or remove 'target'")
            case Target() as target:
                return self.model_copy(update={"target": target, self.field: True})
            case False:
                return self.model_copy(update={"negate": not self.negate, self.field: True})
        return self

    def expectation(self) -> str:
        """Return the expected state in words."""
        return f"not to be {self.words}" if self.negate else f"to be {self.words}"


def named(playwright: str, keyword: str, description: str, default: Any = ..., **limits: Any) -> Any:
    """Return the field of a check's expected value, which Playwright's name of the check names as well."""
    return Field(default, validation_alias=AliasChoices(keyword, playwright), description=description, **limits)


class _OneCheck:
    """The schema of a check: the class that the mapping's one check names."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        choices = {keyword: schema_of(check) for keyword, check in CHECKS.items()}
        choices |= {f"({form})": schema_of(check) for form, check in FORMS.items()}
        union = core_schema.tagged_union_schema(choices, _keyword_of)
        return core_schema.with_info_wrap_validator_function(_read_check, union)


AnyCheck = Annotated[Check, _OneCheck]


def _read_check(value: Any, read: Any, _info: ValidationInfo) -> Any:
    if isinstance(value, Check):
        return value
    if not isinstance(value, dict):
        raise expected("a mapping with a check such as {visible: true}", value)
    if "page" in value:
        value = _of_page(value)
    if _form_of(value):
        return read(value)
    found = _found(value)
    if len(found) > 1:
        raise ValueError(f"{' and '.join(map(repr, found))} exclude each other: write a step for each")
    if found:
        return read(value)
    known = {*_keywords(), "target", "not"}
    if strangers := [key for key in value if key not in known | TARGET_KEYS]:
        raise refuse({key: f"unknown check {key!r}{_other_form(key, known)}" for key in strangers}, value)
    if isinstance(value.get("not"), dict):
        problem = "'not' is true or false beside a check, as in {visible: {text: Hi}, not: true}"
        raise ValueError(problem)  # noqa: TRY004 - so that pydantic reports it
    raise ValueError(f"gives none of {', '.join(CHECKS)}")


def _other_form(word: Any, known: Collection[str]) -> str:
    """Return how to write what an unknown check may mean."""
    if word in ("all", "any"):
        return ": only conditions join checks; write a step for each"
    return did_you_mean(str(word), known)


def _of_page(value: dict[str, Any]) -> dict[str, Any]:
    """Return `{page: {title: Home}, ...}` as the check itself."""
    inner = value["page"]
    if not isinstance(inner, dict):
        raise refuse(
            {"page": str(expected("a mapping with a check of the page such as {title: Home}", inner))}, value
        )
    if strangers := [key for key in value if key == "target" or key in TARGET_KEYS - {"title"}]:
        raise ValueError(f"{strangers[0]!r} names an element, and 'page' is the page: remove one of them")
    return {**inner, **{key: item for key, item in value.items() if key != "page"}}


@cache
def _keywords() -> dict[str, str]:
    return {key: keyword for keyword, check in CHECKS.items() for key in keys_of(check, check.field)}


def advice_on_check(word: Any) -> str:
    """Return how to write a check that stands where an action belongs; nothing for any other word."""
    return f"; it is a check: write `expect: {{{word}: ...}}`" if is_check(word) else ""


def is_check(word: Any) -> bool:
    """Tell whether a word is the name of a check."""
    return word in _keywords()


def _found(value: dict[str, Any]) -> list[str]:
    """Return the keys that name a check; `css` and `role` name the element unless it stands under `target`."""
    names_element = () if "target" in value else BESIDE_TARGET
    return [key for key in value if key in _keywords() and key not in names_element]


def _form_of(value: Any) -> str:
    """Return the form of a check that compares its subject: `{value: ..., greater: 5}`."""
    comparing = (form for form, check in FORMS.items() if form in value and value.keys() & set(check.one_of))
    return next(comparing, "")


def _keyword_of(value: Any) -> str:
    if isinstance(value, dict) and (form := _form_of(value)):
        return f"({form})"
    return value.keyword if isinstance(value, Check) else _keywords()[_found(value)[0]]


def _written_key(check: type[Check], value: dict[str, Any]) -> str:
    return next(key for key in keys_of(check, check.field) if key in value)
