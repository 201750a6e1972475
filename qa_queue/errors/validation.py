"""The renderer of pydantic's `ValidationError`: path, line, message and the nearest known word.

    try:
        return Rule.model_validate(values)
    except ValidationError as error:
        problems = problems_of(error, Rule, source="qa-alerts.yaml", lines=lines)
        raise InputError("\\n".join(map(str, problems))) from None

gives `qa-alerts.yaml:7: rules.slow.treshold: unknown key 'treshold'; did you mean 'threshold'?`. Pass the model to
get known words and limits into the messages, `lines` (from `qa_queue.cases.reader`) for the lines of a file, and
`within` to remove leading parts of the location, such as FastAPI's "body". Where validators bring a document into
another shape first, pass it as `document`: a path then has only those parts that the document has. Values of
`SecretStr` are never shown. Validators add messages of their own by raising `ValueError("is not a size: write
1280x720")`: the path goes before.

`did_you_mean`, `nearest`, `kind_text`, `path_text` and `printable` are for messages that are written elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Protocol

from pydantic import BaseModel, TypeAdapter

from qa_queue.errors.schema_path import NO_DOCUMENT, KeyPath, Site, locate

Lines = Mapping[KeyPath, int]  # 1-based
_DEEP = 10  # parts of a path that is shown of a value without end
MAX_FAULTS = 400  # that are put into words; the others are only counted
_LISTED = 6  # of the known names, where none is near

# Control characters but tab and newline, and those that turn the direction of a line: a terminal obeys them.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Problem:
    """One fault of a document, or a `count` of them: where it is and what to do about it."""

    path: KeyPath
    text: str
    line: int | None = None
    source: str = ""
    count: int = 1

    def __str__(self) -> str:
        where = f"{self.source}:{self.line}" if self.source and self.line else self.source
        return ": ".join(part for part in (where, path_text(self.path), self.text) if part)


class HasErrors(Protocol):
    """A `ValidationError` of pydantic or a `RequestValidationError` of FastAPI."""

    def errors(self) -> Sequence[Any]:
        """Return one mapping for each fault, with type, loc, msg, input and ctx."""


def problems_of(
    error: HasErrors,
    model: type[BaseModel] | TypeAdapter[Any] | None = None,
    *,
    source: str = "",
    lines: Lines | None = None,
    within: KeyPath = (),
    document: Any = NO_DOCUMENT,
    at: KeyPath = (),
) -> tuple[Problem, ...]:
    """Return every fault that a validation found, in the order of the document's lines.

    `at` is the path of the validated value in its file, and is put before the path of each problem. The branches of
    a union are merged: "expected text or a list, got 5" is one problem.
    """
    faults: dict[tuple[KeyPath, str], _Fault] = {}
    found = [item for item in error.errors() if not _is_echo(item)]
    for item in found[:MAX_FAULTS]:
        fault = _fault(item, model, within, document)
        same = faults.get(fault.key)
        faults[fault.key] = same.merged(fault) if same else fault
    kept = _without_other_branches(faults.values())
    located = (((*at, *fault.path), fault.text) for fault in kept)
    problems = [Problem(path, text, nearest_line(lines or {}, path), source) for path, text in located]
    ordered = sorted(problems, key=lambda problem: problem.line or 0)
    return (*ordered, *_others(len(found) - MAX_FAULTS, ordered))


def _others(count: int, listed: Sequence[Problem]) -> Iterator[Problem]:
    """Yield one problem for those that are not listed, after the last one that is."""
    if count > 0:
        yield Problem((), f"{count_of(count, 'more problem')}", listed[-1].line, listed[-1].source, count)


def nearest_line(lines: Lines, path: KeyPath) -> int | None:
    """Return the line of this path, else of the closest value around it that has one."""
    around = (lines.get(path[:end]) for end in range(len(path), -1, -1))
    return next((line for line in around if line is not None), None)


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name that is most similar to `name`, ignoring case; None where none is similar enough."""
    return _nearest(name, tuple(known), cutoff)


@lru_cache(maxsize=1_000)
def _nearest(name: str, known: tuple[str, ...], cutoff: float) -> str | None:
    by_lower, lower = {candidate.lower(): candidate for candidate in known}, name.lower()
    letters = str.maketrans("", "", lower)

    def may_be(candidate: str) -> bool:  # most have too few of its letters, which is found faster than their ratio
        least = cutoff * (len(candidate) + len(lower)) / 2
        return min(len(candidate), len(lower)) >= least <= len(candidate) - len(candidate.translate(letters))

    near = get_close_matches(lower, filter(may_be, by_lower), n=1, cutoff=cutoff)
    return by_lower[near[0]] if near else None


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return `; did you mean 'X'?` for the nearest name, else all known ones when they are few, else nothing."""
    if near := nearest(name, known):
        return f"; did you mean {near!r}?"
    return f"; known are {', '.join(sorted(known))}" if 0 < len(known) <= _LISTED else ""


def path_text(path: KeyPath) -> str:
    """Return a path as people write it, `steps[3].click.target`; indices count from 0."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def printable(text: str) -> str:
    """Return a text with the characters that a terminal would obey written out, such as `\\x1b`."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun: `1 worker`, `2 workers`, `2 batches`, `3 queries`."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{number} {noun}es"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"


def kind_text(value: object) -> str:
    """Describe a value by its kind, for `expected text, got a list`."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return repr(value if len(value) <= 60 else value[:57] + "...")
        case int() | float():
            return f"the number {_number_text(value)}"
        case list() | tuple() | set():
            return "a list"
        case _:
            return "a mapping"


@dataclass(frozen=True)
class _Fault:
    """A fault on its way to a `Problem`; `wanted` is the kind of value that a type error asks for."""

    path: KeyPath
    text: str
    union: KeyPath | None
    wanted: str = ""
    got: str = ""

    @property
    def key(self) -> tuple[KeyPath, str]:
        return self.path, "type" if self.wanted else self.text

    def merged(self, other: _Fault) -> _Fault:
        if not self.wanted:
            return self
        wanted = self.wanted if other.wanted in self.wanted.split(" or ") else f"{self.wanted} or {other.wanted}"
        return _Fault(self.path, _type_text(wanted, self.got), self.union, wanted, self.got)


def _fault(item: Mapping[str, Any], model: Any, within: KeyPath, document: Any) -> _Fault:
    loc = tuple(item["loc"])
    loc = loc[len(within) :] if loc[: len(within)] == within else loc
    if item["type"] == "missing":
        path = locate(model, loc[:-1], document).path
        return _Fault(path, f"{loc[-1]!r} is missing" if loc else "is missing", None)
    if item["type"].startswith("recursion"):
        return _Fault(locate(model, loc[:_DEEP], document).path, "is nested too deep", None)
    site = locate(model, loc, document)
    path = site.path
    got = "(hidden)" if site.secret else kind_text(item.get("input"))
    if wanted := _WANTED.get(item["type"], ""):
        return _Fault(path, _type_text(wanted, got), site.union, wanted, got)
    return _Fault(path, _TEXTS.get(item["type"], _other)(item, site, got), site.union)


def _is_echo(item: Mapping[str, Any]) -> bool:
    """Tell whether a list only counts as too short because pydantic leaves out its faulty items."""
    return item["type"] == "too_short" and bool(len(item["input"]) >= item["ctx"]["min_length"])


def _without_other_branches(faults: Collection[_Fault]) -> list[_Fault]:
    """Leave out type errors at a union itself where another branch took the value and found faults inside it."""
    inside = {fault.union for fault in faults if fault.union is not None and fault.path != fault.union}
    return [fault for fault in faults if not (fault.wanted and fault.path == fault.union and fault.path in inside)]


def _type_text(wanted: str, got: str) -> str:
    quotes = "; put it in quotes" if wanted == "text" and got.startswith("the number") else ""
    return f"expected {wanted}, got {got}{quotes}"


def _unknown_key(item: Mapping[str, Any], site: Site, _got: str) -> str:
    name = str(item["loc"][-1])
    return f"unknown key {name!r}{_key_of_neighbour(name, site) or did_you_mean(name, site.known)}"


def _key_of_neighbour(name: str, site: Site) -> str:
    """Return where a key belongs that a mapping around has, up to the item of a list; nothing for any other key."""
    near = nearest(name, site.known)
    for path, known in reversed(site.outer[:-1]):
        inside = site.path[len(path)]
        if isinstance(inside, int):
            break
        meant = name if name in known else None if near else nearest(name, known, cutoff=0.8)
        if meant is not None:
            mistyped = "" if meant == name else f"did you mean {meant!r}? "
            return f"; {mistyped}it belongs beside {inside!r}, not inside it"
    return ""


def _choice(item: Mapping[str, Any], site: Site, got: str) -> str:
    words = site.words or _words_of(item["ctx"]["expected"])
    near = nearest(item["input"], words) if isinstance(item["input"], str) else None
    return f"{got} is not one of {', '.join(words)}" + (f"; did you mean {near!r}?" if near else "")


def _tag(item: Mapping[str, Any], _site: Site, _got: str) -> str:
    name, tags = str(item["ctx"]["tag"]), _words_of(item["ctx"]["expected_tags"])
    hint = did_you_mean(name, tags) or f"; known are {', '.join(tags)}"
    return f"{name!r} is not a known {item['ctx']['discriminator'].strip(chr(39))}{hint}"


def _words_of(listed: str) -> tuple[str, ...]:
    return tuple(word.strip("'") for word in listed.replace(" or ", ", ").split(", "))


def _limits(item: Mapping[str, Any], site: Site, got: str) -> str:
    limits = site.limits or {name: value for name, value in item["ctx"].items() if name in _LIMIT_TEXTS}
    return f"{got.removeprefix('the number ')} is out of range: {_range(limits)}"


def _range(limits: Mapping[str, Any]) -> str:
    if limits.keys() == {"ge", "le"}:
        return f"{limits['ge']} to {limits['le']}"
    return " and ".join(f"{_LIMIT_TEXTS[name]} {limit}" for name, limit in limits.items())


def _length(item: Mapping[str, Any], site: Site, _got: str) -> str:
    context = item["ctx"]
    found = context.get("actual_length")
    length = found if isinstance(found, int) else len(item["input"])
    least, most = site.lengths
    if length == 0:
        return "must not be empty"
    if least == most is not None:
        return f"expected {least} items, got {length}"
    most = context.get("max_length")
    allowed = f"at least {context['min_length']} are needed" if most is None else f"{most} are allowed"
    unit = "characters long" if isinstance(item["input"], str) else "items long"
    return f"is {length} {unit}; {allowed}"


def _own_words(item: Mapping[str, Any], _site: Site, _got: str) -> str:
    """Return the words of the validator that refused the value."""
    return str(item["ctx"]["error"]) if "error" in item.get("ctx", {}) else str(item["msg"])


def _other(item: Mapping[str, Any], _site: Site, got: str) -> str:
    text = str(item["msg"]).removeprefix("Input ")
    return f"{text[:1].lower()}{text[1:]}, got {got}" if "should be" in text else text


def _number_text(value: float) -> str:
    """Return a number in decimal; of a huge one only the count of digits, which `int` refuses to print."""
    return f"{value}" if isinstance(value, float) or value.bit_length() < 512 else "with more than 150 digits"


_LIMIT_TEXTS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
_WANTED = {
    **dict.fromkeys(("string_type", "string_sub_type", "string_unicode"), "text"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "a number"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), "a list"),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "model_attributes_type"), "a mapping"),
    "none_required": "nothing",
}
_TEXTS: dict[str, Callable[[Mapping[str, Any], Site, str], str]] = {
    "extra_forbidden": _unknown_key,
    "literal_error": _choice,
    "enum": _choice,
    "union_tag_invalid": _tag,
    **dict.fromkeys(("greater_than", "greater_than_equal", "less_than", "less_than_equal"), _limits),
    **dict.fromkeys(("string_too_short", "string_too_long", "too_short", "too_long"), _length),
    **dict.fromkeys(("value_error", "assertion_error"), _own_words),
}
