"""The point of an action on its element.

A site may let clicks pass through an element (`pointer-events: none`), or lay a label over its checkbox. A user's
click at that point reaches the ancestor or the label, with the same effect; Playwright waits for the element. A
checkbox or radio button that is not shown at all is reached by its label alone.

The recorder stores where the pointer was on the element, and its replay acts there. That point decides on maps,
sliders, rows of stars, and on containers with other elements in their middle. A control acts the same wherever it
is hit, so one that was resized or rounded since is taken in its middle.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from playwright.async_api import ElementHandle, Error, Locator, Position
from playwright.async_api import TimeoutError as WaitTimeoutError

from processors.browser.element_finder import Deadline
from processors.browser.failures import StepFailedError, is_closed, is_done
from qa_queue.models import ErrorKind

HIDDEN_MS = 500  # for a checkbox to appear, before its label is used
RESERVE = 0.2  # of the step's time, for an action that the element itself did not receive
BY_LABEL = "the element is not shown: its label received the action"
_COVERED = "intercepts pointer events"
_RECEIVER = """(element, point) => {
  const {left, top, width, height} = element.getBoundingClientRect();
  const x = left + (point ? point.x + element.clientLeft : width / 2);
  const y = top + (point ? point.y + element.clientTop : height / 2);
  let found = null, root = document;
  while (root) {
    const deeper = root.elementFromPoint(x, y);
    if (!deeper || deeper === found) break;
    found = deeper;
    root = found.shadowRoot;
  }
  if (!found) return null;
  if (found.closest('label')?.control === element) return 'label';
  let outer = element;
  while (outer && outer !== found) outer = outer.assignedSlot ?? outer.parentElement ?? outer.getRootNode().host;
  return outer && found !== element ? 'ancestor' : null;
}"""

_LABEL = """element => {
  const none = {label: null, point: null};
  if (element.type !== 'checkbox' && element.type !== 'radio') return none;
  const reachable = one => {
    const {right, bottom, width, height} = one.getBoundingClientRect();
    return width > 0 && height > 0 && right + scrollX > 0 && bottom + scrollY > 0 &&
      getComputedStyle(one).visibility === 'visible';
  };
  const label = reachable(element) ? null : [...element.labels].find(reachable);
  if (!label) return none;
  label.scrollIntoView({block: 'center', behavior: 'instant'});
  const {left, top, width, height} = label.getBoundingClientRect();
  const points = [0.5, 0.1, 0.9, 0.3, 0.7].map(share => [width * share, height / 2]);
  const free = ([x, y]) => {
    const hit = label.getRootNode().elementFromPoint(left + x, top + y);
    const control = hit?.closest('a, button, input, select, textarea, label');
    return control === label || control === element;
  };
  return {label, point: points.find(free) ?? points[0]};
}"""
SMALL_PX = 48  # an element of at most this width and height is one spot to a pointer

_LOOK = """(element, [x, y]) => {
  const {left, top, width, height} = element.getBoundingClientRect();
  let found = null, root = document;
  while (root) {
    const deeper = root.elementFromPoint(left + x, top + y);
    if (!deeper || deeper === found) break;
    found = deeper;
    root = found.shadowRoot;
  }
  let own = found;
  while (own && own !== element) own = own.assignedSlot ?? own.parentElement ?? own.getRootNode().host;
  const control = element.closest('a[href], button, input, select, textarea, label, option, summary, ' +
    '[role=button], [role=link], [role=checkbox], [role=radio], [role=switch], [role=tab], [role=option], ' +
    '[role=menuitem]');
  return {
    width, height, border: [element.clientLeft, element.clientTop], hit: found && !!own,
    control: !!control && control.type !== 'range' && control.type !== 'image',
  };
}"""


@dataclass(frozen=True, kw_only=True)
class Surface:
    """An element as the pointer meets it, in px; `hit` tells whether the recorded point is on it or on what it
    contains, wherever its box ends; None where the point is scrolled out of view."""

    width: float
    height: float
    hit: bool | None
    control: bool
    border: tuple[float, float] = (0, 0)

    def contains(self, point: Sequence[float]) -> bool:
        """Tell whether a point from the top left corner lies on the element."""
        return 0 <= point[0] < self.width and 0 <= point[1] < self.height

    @property
    def tolerant(self) -> bool:
        """True if every point of the element does the same."""
        return self.control or (self.width <= SMALL_PX and self.height <= SMALL_PX)


def position_of(offset: Sequence[float] | None) -> Position | None:
    """Return an offset as Playwright takes it."""
    return Position(x=offset[0], y=offset[1]) if offset else None


def choose_point(recorded: Sequence[float], surface: Surface, *, subject: str) -> Position | None:
    """Return the point in px from the top left corner inside the border; None for the middle of the element. Pure.

    Raises:
        StepFailedError: the element became too small for the point, and another one may do something else.
    """
    inside = surface.contains(recorded)
    there = surface.hit or (inside and surface.hit is None)
    if surface.tolerant and not there:
        return None
    if not there and not inside:
        raise StepFailedError(
            ErrorKind.NOT_ACTIONABLE,
            f"{subject} is {surface.width:g} x {surface.height:g} px now and no longer has the recorded point "
            f"{recorded[0]:g}, {recorded[1]:g}: replace `recorded_at` by a `position` on the element",
        )
    return Position(x=recorded[0] - surface.border[0], y=recorded[1] - surface.border[1])


async def recorded_point(
    element: Locator, recorded: Sequence[float], *, subject: str, timeout_ms: float
) -> Position | None:
    """Return the point of an action that was recorded at `recorded`, in px; None for the middle of the element.

    An element that does not become visible is left to the action itself, whose error says why.
    """
    try:
        await element.wait_for(state="visible", timeout=timeout_ms)
    except WaitTimeoutError:
        return None
    look = await element.evaluate(_LOOK, list(recorded), timeout=timeout_ms)
    return choose_point(recorded, Surface(**look), subject=subject)


@dataclass(frozen=True)
class Attempt:
    """One try of an action: what it acts on, its point in px, and its options."""

    on: Locator | ElementHandle
    timeout: float
    position: Position | None = None
    force: bool = False


Act = Callable[[Attempt], Awaitable[None]]


async def reaching(element: Locator, act: Act, deadline: Deadline, position: Position | None = None) -> str | None:
    """Act on the element, or at its point where that belongs to an ancestor or to its label; returns a note then.

    Raises:
        Error: as Playwright, also for an element that anything else covers.
    """
    try:
        await act(Attempt(element, deadline.left_ms * (1 - RESERVE), position))
    except WaitTimeoutError as first:
        if is_done(str(first)):
            raise
        try:
            return await _reaching_another(element, act, deadline, position, covered=_is_covered(str(first)))
        except WaitTimeoutError as second:  # had less time, too little perhaps to see what is wrong
            raise second if is_done(str(second)) else first from None
    except Error as error:
        if not closed_by_action(str(error)) or not element.page.context.pages:
            raise
    return None


async def _reaching_another(
    element: Locator, act: Act, deadline: Deadline, position: Position | None, *, covered: bool
) -> str | None:
    """Act on the label or the ancestor that stands for the element, or once more on the element itself."""
    if label := await _on_label(element, deadline):
        await act(label)
        return BY_LABEL
    receiver = await _receiver(element, position, deadline) if covered else None
    await act(Attempt(element, deadline.left_ms, position, force=receiver is not None))
    return f"the point belongs to {_WORDS[receiver]}, which received the action" if receiver else None


async def label_of_hidden(element: Locator, deadline: Deadline) -> Attempt | None:
    """Return the try on the label of a checkbox or radio button that is still not shown after a moment.

    None for any other element, which is left to the action itself.
    """
    try:
        await element.wait_for(state="visible", timeout=min(HIDDEN_MS, deadline.left_ms))
    except WaitTimeoutError:
        return await _on_label(element, deadline)
    return None


async def _on_label(element: Locator, deadline: Deadline) -> Attempt | None:
    """Return the try at a point of the label where it contains no other control, such as a link to the terms."""
    found = await element.evaluate_handle(_LABEL, timeout=deadline.left_ms)
    label = (await found.get_property("label")).as_element()
    if label is None:
        return None
    x, y = await (await found.get_property("point")).json_value()
    return Attempt(label, deadline.left_ms, Position(x=x, y=y))


def closed_by_action(text: str) -> bool:
    """Tell whether an error says that the page closed once the action was under way, as by a button Close. Pure."""
    return is_closed(text) and "- performing " in text


_WORDS = {"label": "the element's label", "ancestor": "an ancestor of the element"}


def _is_covered(text: str) -> bool:
    return _COVERED in text


async def _receiver(element: Locator, position: Position | None, deadline: Deadline) -> str | None:
    found: str | None = await element.evaluate(_RECEIVER, position, timeout=deadline.left_ms)
    return found
