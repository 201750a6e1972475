"""Actions of the mouse."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from qa_queue.cases.steps import OnTarget
from qa_queue.cases.vocabulary import Many

Offset = Annotated[Many[float], Field(min_length=2, max_length=2)]


class PointerAction(OnTarget):
    """An action at a point of an element."""

    recorded_at: Offset | None = Field(
        None,
        description="Point of the recorded pointer: [x, y] in px from the element's top left corner. Used wherever "
        "it still lies on the element; a small element or a control is otherwise taken in its middle.",
    )

    def scaled(self, across: float, down: float) -> Self:
        """Return the same action on an element that is this many times as wide and as high."""
        points = {name: getattr(self, name, None) for name in ("recorded_at", "position")}
        return self.model_copy(
            update={name: (point[0] * across, point[1] * down) for name, point in points.items() if point}
        )


class Click(PointerAction, keyword="click"):
    """Click an element."""

    button: Literal["left", "right", "middle"] = Field("left", description="The mouse button.")
    position: Offset | None = Field(
        None, description="Point on the element: [x, y] in px from its top left corner."
    )


class DoubleClick(Click, keyword="dblclick", verb="double-click"):
    """Double-click an element."""


class Hover(PointerAction, keyword="hover"):
    """Move the mouse over an element."""

    actionability: ClassVar[tuple[str, ...]] = ("visible", "hit")
