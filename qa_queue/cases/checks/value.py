"""The check of a value, and the comparisons that it makes. Pure."""

import json
import re
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar

from pydantic import Field

from qa_queue.cases.checks.base import Check
from qa_queue.cases.json_path import JsonPath, NotInDocumentError, value_at
from qa_queue.cases.patterns import search
from qa_queue.cases.traffic import Regex
from qa_queue.cases.vocabulary import JSON, Json, Many
from qa_queue.errors.schema_path import KeyPath
from qa_queue.errors.validation import kind_text, path_text

EXCERPT_CHARS = 200
Number = int | float | str


class ValueCheck(Check, form="value"):
    """Compare a value, such as `${var.total}`, with another. A number and its text are equal."""

    one_of: ClassVar[tuple[str, ...]] = (
        "equals", "contains", "matches", "greater", "less", "between", "one_of", "empty", "length", "json",
    )  # fmt: skip
    value: Json = Field(description="The value.")
    equals: Json = Field(None, description="It is this; lists and mappings are compared part by part.")
    contains: Json = Field(None, description="The text has this part, the list this item, the mapping this key.")
    matches: Regex | None = Field(None, description="A part of the text matches this regular expression.")
    greater: Number | None = Field(None, description="The number is greater than this; texts are compared as such.")
    less: Number | None = Field(None, description="The number is less than this.")
    between: Annotated[Many[Number], Field(min_length=2, max_length=2)] | None = Field(
        None, description="The number is from the first to the second one, both included."
    )
    any_of: Annotated[Many[Any], Field(min_length=1), JSON] | None = Field(
        None, validation_alias="one_of", serialization_alias="one_of", description="It is one of these."
    )
    empty: bool | None = Field(None, description="The text, list or mapping has nothing in it, or it is null.")
    length: int | None = Field(None, ge=0, description="The text, list or mapping has this many parts.")
    json_parts: Annotated[dict[JsonPath, Json], JSON] | None = Field(
        None,
        validation_alias="json",
        serialization_alias="json",
        description='Expected values by their paths in the JSON, as in {"$.items[0].id": 7}.',
    )
    ignore_case: bool = Field(False, description="Compare texts without regard to capital and small letters.")

    @property
    def requires_presence(self) -> bool:
        """False: there is no element."""
        return False

    @property
    def comparison(self) -> str:
        """The key of the comparison."""
        return next((key for key in self.one_of if key in self.given()), "equals")  # which may be null by now

    def disagreements(self) -> Iterable[str]:
        """Yield what is wrong with the given keys together."""
        yield from super().disagreements()
        texts = ("equals", "contains", "matches", "one_of")
        if self.ignore_case and not self.given() & {*texts}:
            yield f"'ignore_case' goes with {', '.join(map(repr, texts))}"

    def sentence(self) -> str:
        """Return the check in words, as `'${var.total}' is greater than 5`."""
        return f"{_shown(self.value)} {self._words('is')}"

    def expectation(self) -> str:
        """Return the expected state in words."""
        return self._words("to be")

    def fault(self) -> str | None:
        """Return what was expected and what was found; None if the check holds."""
        holds, found = _COMPARED[self.comparison](self)
        if holds is not self.negate:
            return None
        return f"expected {_shown(self.value)} {self.expectation()}" + (f"; {found}" if found else "")

    def _words(self, be: str) -> str:
        negation = "not " if self.negate else ""
        other = {"contains": "to contain", "matches": "to match"} if be == "to be" else {}
        wanted = "" if self.comparison == "empty" else f" {self._wanted()}"
        verb = other.get(self.comparison) or _VERBS[self.comparison].format(be=be)
        if self.comparison == "empty" and self.empty is False:
            negation = "" if self.negate else "not "
        return f"{negation}{verb}{wanted}"

    def _wanted(self) -> str:
        match self.comparison:
            case "matches":
                return f"/{self.matches}/" + ("i" if self.ignore_case else "")
            case "between":
                low, high = self.between or (0, 0)
                return f"{_shown(low)} and {_shown(high)}"
            case "one_of":
                return ", ".join(_shown(one) for one in self.any_of or ())
            case "json":
                return _shown(self.json_parts)
        return _shown(getattr(self, self.comparison))


Outcome = tuple[bool, str]  # whether the comparison holds, and what was found where that needs words


def _equals(check: ValueCheck) -> Outcome:
    fault = difference(check.equals, check.value, ignore_case=check.ignore_case)
    return fault is None, fault if fault and fault.startswith("at ") else ""


def _contains(check: ValueCheck) -> Outcome:
    same = _folded if check.ignore_case else _text
    match check.value:
        case str() | int() | float() as text:
            return same(check.contains) in same(text), ""
        case dict() as mapping:
            return any(same(check.contains) == same(key) for key in mapping), ""
        case list() as items:
            return _is_one_of(check, check.contains, items), ""
    return False, ""


def _is_one_of(check: ValueCheck, wanted: Any, items: Iterable[Any]) -> bool:
    return any(difference(wanted, item, ignore_case=check.ignore_case) is None for item in items)


def _matches(check: ValueCheck) -> Outcome:
    flags = re.IGNORECASE if check.ignore_case else 0
    return search(check.matches or "", _text(check.value), flags=flags) is not None, ""


def _greater(check: ValueCheck) -> Outcome:
    return _ordered(check.greater, check.value)


def _less(check: ValueCheck) -> Outcome:
    return _ordered(check.value, check.less)


def _between(check: ValueCheck) -> Outcome:
    low, high = check.between or (0, 0)
    below, found = _ordered(check.value, low)
    above, _ = _ordered(high, check.value)
    return not (below or above or found), found


def _ordered(low: Any, high: Any) -> Outcome:
    """Tell whether one value is less than another: numbers, or other texts, such as dates."""
    pair = (_number(low), _number(high))
    if None not in pair:
        return bool(pair[0] < pair[1]), ""  # type: ignore[operator] # both are numbers
    if isinstance(low, str) and isinstance(high, str) and pair == (None, None):
        return low < high, ""
    return False, "a number cannot be compared with other values"


def _one_of(check: ValueCheck) -> Outcome:
    return _is_one_of(check, check.value, check.any_of or ()), ""


def _empty(check: ValueCheck) -> Outcome:
    return (check.value in ("", [], {}, None)) is check.empty, ""


def _length(check: ValueCheck) -> Outcome:
    if not isinstance(check.value, (str, list, dict)):
        return False, f"{kind_text(check.value)} has no length"
    return len(check.value) == check.length, f"its length is {len(check.value)}"


def _json(check: ValueCheck) -> Outcome:
    try:
        document = json.loads(check.value) if isinstance(check.value, str) else check.value
    except ValueError:
        return False, "it is not JSON"
    for path, wanted in (check.json_parts or {}).items():
        try:
            found = value_at(path, document)
        except NotInDocumentError:
            return False, f"there is no {path}"
        if fault := difference(wanted, found, ignore_case=check.ignore_case):
            return False, f"{path}: {fault}"
    return True, ""


_COMPARED = {
    "equals": _equals,
    "contains": _contains,
    "matches": _matches,
    "greater": _greater,
    "less": _less,
    "between": _between,
    "one_of": _one_of,
    "empty": _empty,
    "length": _length,
    "json": _json,
}
_VERBS = {
    "equals": "{be}",
    "contains": "contains",
    "matches": "matches",
    "greater": "{be} greater than",
    "less": "{be} less than",
    "between": "{be} between",
    "one_of": "{be} one of",
    "empty": "{be} empty",
    "length": "{be} of length",
    "json": "{be} JSON with",
}


def difference(wanted: Any, found: Any, *, ignore_case: bool = False, at: KeyPath = ()) -> str | None:
    """Return the first difference of two JSON values in words; None where they are equal.

    A number and its text are equal, as are true and `true`: what is read from a page is text.
    """
    if isinstance(wanted, dict) and isinstance(found, dict):
        return _difference_of_mappings(wanted, found, ignore_case, at)
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        faults = (difference(one, other, ignore_case=ignore_case, at=(*at, n)) for n, (one, other) in pairs)
        return next((fault for fault in faults if fault), None)
    if _same(wanted, found, ignore_case):
        return None
    where = f"at {path_text(at)}: " if at else ""
    return f"{where}expected {_shown(wanted)}, found {_shown(found)}"


def _difference_of_mappings(wanted: Any, found: Any, ignore_case: bool, at: KeyPath) -> str | None:
    for key in {**wanted, **found}:
        if key not in found or key not in wanted:
            return f"at {path_text((*at, key))}: {'missing' if key not in found else 'not expected'}"
        if fault := difference(wanted[key], found[key], ignore_case=ignore_case, at=(*at, key)):
            return fault
    return None


def _same(wanted: Any, found: Any, ignore_case: bool) -> bool:
    if isinstance(wanted, (dict, list)) or isinstance(found, (dict, list)) or None in (wanted, found):
        return bool(wanted == found)
    numbers = (_number(wanted), _number(found))
    mixed = isinstance(wanted, str) != isinstance(found, str)
    if mixed and None not in numbers:
        return numbers[0] == numbers[1]
    same = _folded if ignore_case else _text
    return same(wanted) == same(found)


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if not isinstance(value, str):
        return value
    try:
        return float(value) if re.fullmatch(r"\s*[+-]?\d{1,300}(\.\d{1,300})?\s*", value) else None
    except ValueError:
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _folded(value: Any) -> str:
    return _text(value).casefold()


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else _text(value)
    return text if len(text) <= EXCERPT_CHARS else f"{text[: EXCERPT_CHARS - 1]}…"
