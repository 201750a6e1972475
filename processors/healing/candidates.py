"""The candidates of one page: normalised, indexed by their keys, and the rarity of their words.

The fewer elements of a page have a word, the more it says that two elements share it. Its weight is its
self-information on the page, -log p, smoothed: `log((n + 1) / (df + 0.5))` with `n` elements of which `df` have the
word (inverse document frequency; Robertson & Sparck Jones, 1976).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import chain
from math import fsum, log
from operator import attrgetter

from processors.healing.fingerprint import Fingerprint
from processors.healing.traits import Traits, counter_stem, parent_path

Words = frozenset[str]


class Rarity:
    """The weights of the words of one property on one page of `size` elements; counted when first used."""

    def __init__(self, size: int, elements: Callable[[], Iterable[Words]]) -> None:
        self._total = size + 1
        self._elements = elements
        self._unseen = log(self._total / 0.5)

    @cached_property
    def _weights(self) -> dict[str, float]:
        counts = Counter(chain.from_iterable(self._elements()))
        return {word: log(self._total / (count + 0.5)) for word, count in counts.items()}

    def weight(self, words: Iterable[str]) -> float:
        """Return the sum of the words' weights."""
        weights, unseen = self._weights, self._unseen
        # An exact sum: the order of a set differs from process to process, and a share must not exceed 1.
        return fsum([weights.get(word, unseen) for word in words])

    def dice(self, one: Words, other: Words) -> float:
        """Return Dice's coefficient with weights, 0..1: 2 * shared / (one + other)."""
        shared = one & other
        return 2 * self.weight(shared) / (self.weight(one) + self.weight(other)) if shared else 0.0

    def containment(self, one: Words, other: Words) -> float:
        """Return the share of the smaller set in the larger, 0..1: shared / smaller."""
        shared = one & other
        return self.weight(shared) / min(self.weight(one), self.weight(other)) if shared else 0.0

    def overlap(self, one: Words, other: Words) -> float:
        """Return the mean of Dice's coefficient and containment, 0..1.

        Containment forgives words that were added or dropped: all of "Tracking" is in "Tracking expand tracking".
        """
        return (self.dice(one, other) + self.containment(one, other)) / 2


class CandidatePage:
    """All candidates of a page; made once and used for every stored fingerprint."""

    def __init__(self, candidates: Sequence[Fingerprint]) -> None:
        self.traits = [Traits(candidate) for candidate in candidates]
        self.text_rarity = self._rarity(attrgetter("wording_words"))
        self.word_rarity = self._rarity(attrgetter("words"))
        self.markup_rarity = self._rarity(attrgetter("markup"))
        self.neighbour_rarity = self._rarity(attrgetter("neighbours"))
        self.link_rarity = self._rarity(attrgetter("link_words"))
        self._indexes: dict[str, dict[str, list[int]]] = {}

    def holders(self, key: str, value: str) -> Sequence[int]:
        """Return the indices of candidates with this value of a key of `anchors.KEYS`."""
        if key not in self._indexes:
            self._indexes[key] = _grouped(map(attrgetter(key), self.traits))
        return self._indexes[key].get(value, ())

    def is_counter(self, identifier: str) -> bool:
        """Return True if this id numbers elements ("menu1", "menu2") and so names a position."""
        stem = counter_stem(identifier)
        return stem != identifier and self._stems[stem] > 1

    def same_spot(self, index: int) -> list[int]:
        """Return the candidate, its parent and its children: a click on one is a click on the other."""
        path = self.traits[index].path
        if not path:
            return [index]
        parent = parent_path(path)
        near = (
            at for at, traits in enumerate(self.traits) if traits.path == parent or parent_path(traits.path) == path
        )
        return [index, *near]

    def related(self, one: int, other: int) -> bool:
        """Return True if one candidate is the other or contains it."""
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
