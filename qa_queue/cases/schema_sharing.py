"""JSON Schemas that write each of their parts once: equal parts become one definition that the others refer to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
_LEAST = 60  # characters of a part that is worth a definition of its own
_ONE = frozenset({"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"})
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"$defs", "dependentSchemas", "patternProperties", "properties"})


def shared(schema: Schema) -> Schema:
    """Return an equivalent schema in which a part that occurs several times is a definition, named `shared-N`."""
    counts = Counter(_text(part) for part in _parts(schema))
    names = {text: f"shared-{number}" for number, text in enumerate(_repeated(schema, counts), start=1)}
    definitions = {name: _replaced(json.loads(text), names) for text, name in names.items()}
    short = _replaced(schema, names)
    return short | {"$defs": short.get("$defs", {}) | definitions}


def _repeated(schema: Schema, counts: Counter[str]) -> list[str]:
    """Return the parts that are worth a definition, in the order in which they first occur."""
    texts = dict.fromkeys(map(_text, _parts(schema)))
    return [text for text in texts if counts[text] > 1 and len(text) >= _LEAST]


def _parts(schema: Schema) -> Iterator[Schema]:
    """Yield every schema inside a schema but its definitions, each before those inside it."""
    for keyword, value in schema.items():
        for inner in _inside(keyword, value):
            if keyword != "$defs":
                yield inner
            yield from _parts(inner)


def _inside(keyword: str, value: Any) -> Iterator[Schema]:
    found: Any = ()
    if keyword in _ONE:
        found = (value,)
    elif keyword in _LISTS:
        found = value
    elif keyword in _NAMED:
        found = value.values()
    yield from (one for one in found if isinstance(one, dict))


def _replaced(schema: Schema, names: dict[str, str]) -> Schema:
    """Return a schema whose parts refer to the definitions of these texts."""

    def part(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        name = names.get(_text(value))
        return {"$ref": f"#/$defs/{name}"} if name else _replaced(value, names)

    def parts(keyword: str, value: Any) -> Any:
        if keyword in _ONE:
            return part(value)
        if keyword in _LISTS:
            return [part(one) for one in value]
        if keyword == "$defs":  # a definition stays in its place
            return {name: _replaced(one, names) for name, one in value.items()}
        if keyword in _NAMED:
            return {name: part(one) for name, one in value.items()}
        return value

    return {keyword: parts(keyword, value) for keyword, value in schema.items()}


def _text(schema: Schema) -> str:
    return json.dumps(schema, ensure_ascii=False)
