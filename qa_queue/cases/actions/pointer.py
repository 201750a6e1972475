"""Actions of the mouse."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from qa_queue.cases.steps import OnTarget
from qa_queue.cases.vocabulary import Many

Offset = Annotated[Many[float], Field(min_length=2, max_length=2)]


class Click(OnTarget, keyword="click"):
    """Click an element."""

    button: Literal["left", "right", "middle"] = Field("left", description="The mouse button.")
    position: Offset | None = Field(
        None, description="Point on the element: [x, y] in px from its top left corner."
    )


class DoubleClick(Click, keyword="dblclick", verb="double-click"):
    """Double-click an element."""


class Hover(OnTarget, keyword="hover"):
    """Move the mouse over an element."""

    actionability: ClassVar[tuple[str, ...]] = ("visible", "hit")
