"""The candidates of one page: normalised, counted, and found by what they are unique in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cached_property

from processors.healing.fingerprint import Fingerprint
from processors.healing.rarity import Rarity
from processors.healing.traits import Traits, traits_of
from processors.healing.words import counter_stem, parent_path

Key = tuple[str, str]

CONTENT_KEYS = frozenset({"test_id", "id", "name", "link", "accessible_name", "text", "alt"})


def keys_of(traits: Traits) -> list[Key]:
    """What might name the element alone: (property, value), for each property that it has."""
    source = traits.source
    keys = (
        *[("test_id", value) for value in source.test_ids],
        ("id", source.id),
        ("name", source.name),
        ("link", traits.link),
        ("accessible_name", traits.accessible_name),
        ("text", traits.text),
        ("alt", source.alt),
        ("id_path", traits.id_path),
        ("path", traits.path),
    )
    return [(name, value) for name, value in keys if value]


class Page:
    """What deciding needs to know of all candidates together; made once, used for every stored fingerprint."""

    def __init__(self, candidates: Sequence[Fingerprint]) -> None:
        self.traits = [traits_of(candidate) for candidate in candidates]

    @cached_property
    def text_rarity(self) -> Rarity:
        """How rare the words of texts and accessible names are."""
        return Rarity([traits.text_words | traits.name_words for traits in self.traits])

    @cached_property
    def word_rarity(self) -> Rarity:
        """How rare the elements' own words are."""
        return Rarity([traits.words for traits in self.traits])

    @cached_property
    def markup_rarity(self) -> Rarity:
        """How rare classes and attributes are."""
        return Rarity([traits.markup for traits in self.traits])

    @cached_property
    def neighbour_rarity(self) -> Rarity:
        """How rare the words around are."""
        return Rarity([traits.neighbours for traits in self.traits])

    @cached_property
    def link_rarity(self) -> Rarity:
        """How rare the parts of links are."""
        return Rarity([traits.link_words for traits in self.traits])

    def with_key(self, key: Key) -> Sequence[int]:
        """The candidates that have this value of this property."""
        return self._by_key.get(key, ())

    def is_counter(self, identifier: str) -> bool:
        """Whether this id counts elements ("menu1", "menu2"): then it names a position, not an element."""
        stem = counter_stem(identifier)
        return stem != identifier and self._stems[stem] > 1

    def same_spot(self, index: int) -> list[int]:
        """The candidate itself, its parent and its children: a click on one is a click on the other."""
        path = self.traits[index].path
        if not path:
            return [index]
        parent = parent_path(path)
        near = (
            at for at, traits in enumerate(self.traits) if traits.path == parent or parent_path(traits.path) == path
        )
        return [index, *near]

    def related(self, one: int, other: int) -> bool:
        """Whether one candidate is the other or contains it."""
        mine, yours = self.traits[one].path, self.traits[other].path
        return one == other or mine.startswith(yours + "/") or yours.startswith(mine + "/")

    @cached_property
    def _by_key(self) -> dict[Key, list[int]]:
        index: dict[Key, list[int]] = defaultdict(list)
        for position, traits in enumerate(self.traits):
            for key in keys_of(traits):
                index[key].append(position)
        return dict(index)

    @cached_property
    def _stems(self) -> Counter[str]:
        return Counter(counter_stem(traits.source.id) for traits in self.traits if traits.source.id)
