"""The candidates of one page: normalised, counted, and found by what they are unique in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

from processors.healing.fingerprint import Fingerprint
from processors.healing.rarity import Rarity, Words
from processors.healing.traits import Traits, traits_of
from processors.healing.words import parent_path

Key = tuple[str, str]
Group = TypeVar("Group", bound=Hashable)

CONTENT_KEYS = frozenset({"test_id", "id", "name", "link", "accessible_name", "text", "alt"})


def keys_of(traits: Traits) -> Iterator[Key]:
    """What might name the element alone: (property, value), for each property that it has."""
    source = traits.source
    values = (
        *(("test_id", value) for value in source.test_ids),
        ("id", source.id),
        ("name", source.name),
        ("link", traits.link),
        ("accessible_name", traits.accessible_name),
        ("text", traits.text),
        ("alt", source.alt),
        ("id_path", traits.id_path),
        ("path", traits.path),
    )
    return ((name, value) for name, value in values if value)


class Page:
    """What deciding needs to know of all candidates together; made once, used for every stored fingerprint."""

    def __init__(self, candidates: Sequence[Fingerprint]) -> None:
        self.traits = [traits_of(candidate) for candidate in candidates]
        self.text_rarity = self._rarity(lambda traits: traits.text_words | traits.name_words)
        self.word_rarity = self._rarity(lambda traits: traits.words)
        self.markup_rarity = self._rarity(lambda traits: traits.markup)
        self.neighbour_rarity = self._rarity(lambda traits: traits.neighbours)
        self.link_rarity = self._rarity(lambda traits: traits.link_words)
        self._by_key = _grouped((key, at) for at, traits in enumerate(self.traits) for key in keys_of(traits))
        self._by_path = _grouped((traits.path, at) for at, traits in enumerate(self.traits))
        self._by_parent = _grouped((parent_path(traits.path), at) for at, traits in enumerate(self.traits))

    def with_key(self, key: Key) -> Sequence[int]:
        """The candidates that have this value of this property."""
        return self._by_key.get(key, ())

    def same_spot(self, index: int) -> list[int]:
        """The candidate itself, its parent and its children: a click on one is a click on the other."""
        path = self.traits[index].path
        if not path:
            return [index]
        return [index, *self._by_path.get(parent_path(path), ()), *self._by_parent.get(path, ())]

    def related(self, one: int, other: int) -> bool:
        """Whether one candidate is the other or contains it."""
        mine, yours = self.traits[one].path, self.traits[other].path
        return one == other or mine.startswith(yours + "/") or yours.startswith(mine + "/")

    def _rarity(self, words: Callable[[Traits], Words]) -> Rarity:
        return Rarity([words(traits) for traits in self.traits])


def _grouped(items: Iterable[tuple[Group, int]]) -> dict[Group, list[int]]:
    groups: dict[Group, list[int]] = defaultdict(list)
    for group, position in items:
        groups[group].append(position)
    return dict(groups)
