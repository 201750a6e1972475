"""The candidates of one page: normalised, counted, and found by what they are unique in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from operator import attrgetter

from processors.healing.fingerprint import Fingerprint
from processors.healing.rarity import Rarity, Words
from processors.healing.tokens import counter_stem, parent_path
from processors.healing.traits import Traits


class CandidatePage:
    """What deciding needs to know of all candidates together; made once, used for every stored fingerprint."""

    def __init__(self, candidates: Sequence[Fingerprint]) -> None:
        self.traits = [Traits(candidate) for candidate in candidates]
        self.text_rarity = self._rarity(attrgetter("wording_words"))
        self.word_rarity = self._rarity(attrgetter("words"))
        self.markup_rarity = self._rarity(attrgetter("markup"))
        self.neighbour_rarity = self._rarity(attrgetter("neighbours"))
        self.link_rarity = self._rarity(attrgetter("link_words"))
        self._indexes: dict[str, dict[str, list[int]]] = {}

    def holders(self, key: str, value: str) -> Sequence[int]:
        """The candidates that have this value of the key, one of `anchors.KEYS`."""
        if key not in self._indexes:
            self._indexes[key] = _grouped(map(attrgetter(key), self.traits))
        return self._indexes[key].get(value, ())

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

    def _rarity(self, words: Callable[[Traits], Words]) -> Rarity:
        return Rarity(len(self.traits), lambda: map(words, self.traits))

    @cached_property
    def _stems(self) -> Counter[str]:
        return Counter(counter_stem(traits.source.id) for traits in self.traits if traits.source.id)


def _grouped(values: Iterable[str | None]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for position, value in enumerate(values):
        if value:
            groups[value].append(position)
    return dict(groups)
