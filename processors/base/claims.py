"""What only one run at once needs to do, of all that go on in one process."""

from __future__ import annotations

from collections.abc import Hashable


class Claims:
    """Who comes first has a thing until it is released; belongs to one event loop."""

    def __init__(self) -> None:
        self._held: dict[Hashable, object] = {}

    def take(self, thing: Hashable, holder: object) -> bool:
        """Whether the holder has it now: nobody had it, or the holder did already."""
        return self._held.setdefault(thing, holder) is holder

    def release(self, holder: object) -> None:
        """Let go of all that this holder has."""
        self._held = {thing: who for thing, who in self._held.items() if who is not holder}
