"""Actions of the mouse."""

from collections.abc import Collection, Iterable
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from qa_queue.cases.steps import Action, OnTarget
from qa_queue.cases.targets import Target
from qa_queue.cases.vocabulary import Duration, Many, expected

Button = Literal["left", "right", "middle"]
Modifier = Literal["Alt", "Control", "ControlOrMeta", "Meta", "Shift"]
Offset = Annotated[Many[float], Field(min_length=2, max_length=2)]


class PointAction(OnTarget):
    """An action at a point of an element, its middle if not given."""

    position: Offset | None = Field(
        None, description="Point on the element: [x, y] in px from its top left corner; otherwise its middle."
    )
    force: bool = Field(False, description="Act without waiting until the element can be used.")


class PointerAction(PointAction):
    """An action of the pointer."""

    recorded_at: Offset | None = Field(
        None,
        description="Point of the recorded pointer: [x, y] in px from the element's top left corner. Used wherever "
        "it still lies on the element; a small element or a control is otherwise taken in its middle.",
    )
    modifiers: Many[Modifier] = Field((), description="Keys to hold meanwhile, as [Shift].")

    def scaled(self, across: float, down: float) -> Self:
        """Return the same action on an element that is this many times as wide and as high."""
        points = {name: getattr(self, name) for name in ("recorded_at", "position")}
        return self.model_copy(
            update={name: (point[0] * across, point[1] * down) for name, point in points.items() if point}
        )


class ButtonAction(PointerAction):
    """An action with a button of the mouse."""

    button: Button = Field("left", description="The mouse button.")
    delay_ms: Duration | None = Field(
        None,
        validation_alias="delay",
        serialization_alias="delay",
        description="How long the button stays down.",
    )


class Click(ButtonAction, keyword="click"):
    """Click an element."""

    click_count: Annotated[int, Field(ge=1, le=10)] = Field(1, description="How often to click.")


class DoubleClick(ButtonAction, keyword="dblclick", verb="double-click"):
    """Double-click an element."""


class RightClick(PointerAction, keyword="right_click", verb="right-click"):
    """Click an element with the right mouse button."""


class Hover(PointerAction, keyword="hover"):
    """Move the mouse over an element."""

    actionability: ClassVar[tuple[str, ...]] = ("visible", "hit")


class Tap(PointerAction, keyword="tap"):
    """Tap an element of a page with touch, which a `device` such as iPhone 15 has."""


class Drag(OnTarget, keyword="drag"):
    """Drag an element to another one, and drop it there."""

    secret_fields: ClassVar[Collection[str] | None] = ("target", "to")
    to: Target = Field(description="The element to drop it on.")
    position: Offset | None = Field(
        None, description="Point to drag it at: [x, y] in px from its top left corner; otherwise its middle."
    )
    to_position: Offset | None = Field(
        None, description="Point on that element: [x, y] in px from its top left corner; otherwise its middle."
    )
    force: bool = Field(False, description="Act without waiting until the elements can be used.")

    def sentence(self) -> str:
        """Return the action in words."""
        return f"drag {self.target} to {self.to}"


class Mouse(Action, keyword="mouse"):
    """Use the mouse at points of the page, or of an element such as a canvas, which is scrolled into view.

    Where the mouse is and which buttons are down stays from step to step.
    """

    short_schema: ClassVar[dict[str, Any]] = {"enum": ["down", "up"]}
    actionability: ClassVar[tuple[str, ...]] = ("visible",)
    one_of: ClassVar[tuple[str, ...]] = ("move", "click", "dblclick", "down", "up", "wheel")
    needs: ClassVar[dict[str, str]] = {"moves": "move"}
    target: Target | None = Field(
        None, description="The element from whose top left corner points count; without it, the page."
    )
    move: Offset | None = Field(None, description="Move to [x, y] in px.")
    click: Offset | None = Field(None, description="Click at [x, y].")
    dblclick: Offset | None = Field(None, description="Double-click at [x, y].")
    down: Literal[True] | None = Field(None, description="Press the button where the mouse is.")
    up: Literal[True] | None = Field(None, description="Release the button where the mouse is.")
    wheel: Offset | None = Field(
        None, description="Turn the wheel by [x, y] px to the right and down, where the mouse is."
    )
    button: Button = Field("left", description="The mouse button.")
    moves: Annotated[int, Field(ge=1, le=1_000)] = Field(
        1, description="The number of moves, in equal parts, as scripts see them."
    )

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return `down` and `up` as their mapping."""
        if value in ("down", "up"):
            return {value: True}
        if not isinstance(value, dict):
            raise expected("down, up, or a mapping such as {move: [100, 200]}", value)
        return super().long_form(value)

    def disagreements(self) -> Iterable[str]:
        """Yield what is wrong with the given keys together."""
        yield from super().disagreements()
        if self.button != "left" and self.given() & {"move", "wheel"}:
            yield "'button' goes with click, dblclick, down and up"
        if self.target is not None and self.given() & {"down", "up", "wheel"}:
            yield "'target' goes with move, click and dblclick: move the mouse there first"

    def sentence(self) -> str:
        """Return the action in words."""
        what = next(key for key in self.one_of if getattr(self, key) is not None)
        point = getattr(self, what)
        where = "" if point is True else f" {point[0]:g}, {point[1]:g}"
        return f"mouse {what}{where}" + (f" of {self.target}" if self.target is not None else "")


class Scroll(Action, keyword="scroll"):
    """Scroll an element into view, or the page or an element with scroll bars to a place."""

    short: ClassVar[str | None] = "target"
    actionability: ClassVar[tuple[str, ...]] = ()
    at_most_one: ClassVar[tuple[tuple[str, ...], ...]] = (("to", "by"),)
    target: Target | None = Field(None, description="The element; without it, the page.")
    to: Offset | None = Field(
        None,
        description="Scroll to [x, y] in px from the top left corner, and on as long as a list that loads "
        "on scrolling becomes longer.",
    )
    by: Offset | None = Field(None, description="Scroll by [x, y] px to the right and down.")

    def disagreements(self) -> Iterable[str]:
        """Yield what is wrong with the given keys together."""
        yield from super().disagreements()
        if not self.given():
            yield "gives none of target, to, by"

    def sentence(self) -> str:
        """Return the action in words."""
        subject = str(self.target or "the page")
        for word, point in (("to", self.to), ("by", self.by)):
            if point is not None:
                return f"scroll {subject} {word} {point[0]:g}, {point[1]:g}"
        return f"scroll to {subject}"
