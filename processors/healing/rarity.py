"""How much it proves that two elements share a word: little where half the page has it, much where one element has.

A word's weight is its self-information on the page, -log p, smoothed: `log((n + 1) / (df + 0.5))` with `n`
elements of which `df` have the word (inverse document frequency; Robertson & Sparck Jones, 1976).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import chain
from math import fsum, log

Words = frozenset[str]


class Rarity:
    """The weights of the words of one property on one page of `size` elements; counted when first asked."""

    def __init__(self, size: int, elements: Callable[[], Iterable[Words]]) -> None:
        self._total = size + 1
        self._elements = elements
        self._unseen = log(self._total / 0.5)

    @cached_property
    def _weights(self) -> dict[str, float]:
        counts = Counter(chain.from_iterable(self._elements()))
        return {word: log(self._total / (count + 0.5)) for word, count in counts.items()}

    def weight(self, words: Iterable[str]) -> float:
        """The sum of the words' weights."""
        weights, unseen = self._weights, self._unseen
        # An exact sum: the order of a set differs from process to process, and a share must not exceed 1.
        return fsum([weights.get(word, unseen) for word in words])

    def dice(self, one: Words, other: Words) -> float:
        """Dice's coefficient with weights, 0..1: 2 * shared / (one + other)."""
        shared = one & other
        return 2 * self.weight(shared) / (self.weight(one) + self.weight(other)) if shared else 0.0

    def containment(self, one: Words, other: Words) -> float:
        """How much of the smaller is in the larger, 0..1: shared / smaller."""
        shared = one & other
        return self.weight(shared) / min(self.weight(one), self.weight(other)) if shared else 0.0

    def overlap(self, one: Words, other: Words) -> float:
        """The mean of Dice's coefficient and containment, 0..1.

        Containment forgives words that were added or dropped: all of "Tracking" is in "Tracking expand tracking".
        """
        return (self.dice(one, other) + self.containment(one, other)) / 2
