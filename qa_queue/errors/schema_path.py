"""Following the location of a validation error through the model that refused the value.

Pydantic's location also has parts that no document has: the names of the branches of a union and the tags of a
discriminated one. Only the model's core schema tells them from keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from pydantic import BaseModel, SecretStr, TypeAdapter

KeyPath = tuple[str | int, ...]  # of keys and indices, from the top of the document
_Schema = Mapping[str, Any]
_WRAPPERS = {"lax-or-strict": "lax_schema", "json-or-python": "python_schema"}
NO_DOCUMENT = object()
READS = "reads"
"""Key in the metadata of a schema: the model that its validator reads the value as."""
_LIMITS = ("ge", "gt", "le", "lt")


@dataclass(frozen=True)
class Site:
    """The place of an error: its path in the document, and the schemas that refused the value there.

    `known` are the keys of the mapping that holds it, `union` is the path of the innermost union on the way, and
    `outer` are the paths and keys of the mappings around that one, from the top.
    """

    path: KeyPath
    known: tuple[str, ...] = ()
    union: KeyPath | None = None
    schemas: tuple[_Schema, ...] = field(default=(), repr=False)
    document: Any = field(default=NO_DOCUMENT, repr=False)
    moved: bool = False
    outer: tuple[tuple[KeyPath, tuple[str, ...]], ...] = ()

    def has(self, part: str | int) -> bool:
        """Tell whether the document has this key or index here."""
        match self.document:
            case dict():
                return part in self.document
            case list() | tuple():
                return isinstance(part, int) and part < len(self.document)
        return self.document is NO_DOCUMENT

    def below(self, part: Any) -> Any:
        """Return the document's value of this key or index."""
        return NO_DOCUMENT if self.document is NO_DOCUMENT else self.document[part]

    @property
    def secret(self) -> bool:
        """True where the model keeps the value secret."""
        branches = (branch for schema in self.schemas for branch in schema.get("choices", ()))
        return any(isinstance(branch, dict) and branch.get("cls") is SecretStr for branch in branches)

    @property
    def words(self) -> tuple[str, ...]:
        """The values of a literal or an enumeration."""
        found = (schema.get("expected") or schema.get("members") or () for schema in self.schemas)
        return tuple(str(word.value if isinstance(word, Enum) else word) for words in found for word in words)

    @property
    def limits(self) -> dict[str, Any]:
        """The limits of a number, by pydantic's names of them."""
        return {name: schema[name] for schema in self.schemas for name in _LIMITS if name in schema}

    @property
    def lengths(self) -> tuple[int | None, int | None]:
        """The least and the greatest length of a text or list."""
        schema = next((one for one in self.schemas if "min_length" in one or "max_length" in one), {})
        return schema.get("min_length"), schema.get("max_length")


def locate(model: type[BaseModel] | TypeAdapter[Any] | None, loc: KeyPath, document: Any = NO_DOCUMENT) -> Site:
    """Return the place in the document that a location of this model's validation stands for.

    Parts that the document does not have are left out: a validator put the value there.
    """
    if model is None:
        return Site(tuple(part for part in loc if part != "[key]"))
    root = model.core_schema if isinstance(model, TypeAdapter) else model.__pydantic_core_schema__
    return _Walk(root).follow(loc, document)


class _Walk:
    """A core schema with its definitions by reference."""

    def __init__(self, root: _Schema) -> None:
        self.definitions: dict[str, _Schema] = {}
        self.root = root

    def follow(self, loc: KeyPath, document: Any) -> Site:
        """Follow a location from the root, and the document beside it."""
        site = Site((), schemas=tuple(self.unwrapped(self.root)), document=document)
        for part in loc:
            if part != "[key]":
                site = self._step(site, part)
        return site

    def _step(self, site: Site, part: str | int) -> Site:
        branches = [schema for schema in site.schemas if _leads_to_branch(schema, part)]
        if branches:
            chosen = tuple(inner for schema in branches for inner in self._branch(schema, part))
            return replace(site, union=site.path, schemas=chosen)
        known = tuple(name for schema in site.schemas for name in self._fields(schema))
        inside = tuple(inner for schema in site.schemas for inner in self._inside(schema, part))
        known += site.known if site.moved else ()
        if not site.has(part):
            return replace(site, known=known, schemas=inside, moved=True)
        outer = (*site.outer, (site.path, known))
        return Site((*site.path, part), known, site.union, inside, site.below(part), outer=outer)

    def _branch(self, schema: _Schema, part: str | int) -> Iterator[_Schema]:
        """Yield the branch of a union that a part of a location names, else all of them."""
        choices = schema["choices"]
        if schema["type"] == "tagged-union":
            yield from self.unwrapped(choices[part])
            return
        plain = [choice[0] if isinstance(choice, tuple) else choice for choice in choices]
        inner = [one for choice in plain for one in self.unwrapped(choice)]
        named = [one for one in inner if part in (one.get("model_name"), one["type"])]
        yield from named or inner

    def _fields(self, schema: _Schema) -> dict[str, _Schema]:
        """Return the fields of a mapping by each name that a document may use."""
        fields = schema.get("fields", {})
        listed = {one["name"]: one for one in fields} if isinstance(fields, list) else fields
        return {alias: one for name, one in listed.items() for alias in _names(name, one)}

    def _inside(self, schema: _Schema, part: str | int) -> Iterator[_Schema]:
        """Yield the schema of a key or an item."""
        match schema["type"]:
            case "model-fields" | "typed-dict" | "dataclass-args":
                found = self._fields(schema).get(str(part), {}).get("schema")
            case "dict":
                found = schema.get("values_schema")
            case "tuple" if isinstance(part, int):
                items = schema["items_schema"]
                found = items[min(part, len(items) - 1)] if items else None
            case _:
                found = schema.get("items_schema")
        yield from self.unwrapped(found) if found else ()

    def unwrapped(self, schema: _Schema) -> Iterator[_Schema]:
        """Yield a schema without validators, defaults and references around it."""
        for definition in schema.get("definitions", ()):
            self.definitions[definition["ref"]] = definition
        inner = self._inner(schema)
        yield from (schema,) if inner is None else self.unwrapped(inner)

    def _inner(self, schema: _Schema) -> _Schema | None:
        """Return the schema that this one refers to or is wrapped around."""
        if schema["type"] == "definition-ref":
            return self.definitions[schema["schema_ref"]]
        if model := schema.get("metadata", {}).get(READS):
            inner: _Schema = model.__pydantic_core_schema__
            return inner
        return schema.get(_WRAPPERS.get(schema["type"], "schema"))


def _leads_to_branch(schema: _Schema, part: str | int) -> bool:
    return schema["type"] == "union" or (schema["type"] == "tagged-union" and part in schema["choices"])


def _names(name: str, model_field: _Schema) -> tuple[str, ...]:
    alias = model_field.get("validation_alias", name)
    if isinstance(alias, str):
        return (alias,)
    return tuple(choice[0] if isinstance(choice, list) else choice for choice in alias)
