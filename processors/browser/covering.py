"""Actions whose point belongs to an ancestor of the element, or to its label.

A site may let clicks pass through an element (`pointer-events: none`), or lay a label over its checkbox. A user's
click at that point reaches the ancestor or the label, with the same effect; Playwright waits for the element.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import Error, Locator, Position
from playwright.async_api import TimeoutError as WaitTimeoutError

from processors.browser.element_finder import Deadline
from processors.browser.failures import is_closed

RESERVE = 0.2  # of the step's time, for an action that the element itself did not receive
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


@dataclass(frozen=True)
class Attempt:
    """The options of one try of an action."""

    timeout: float
    force: bool


async def reaching(
    element: Locator,
    act: Callable[[Attempt], Awaitable[None]],
    deadline: Deadline,
    position: Position | None = None,
) -> str | None:
    """Act on the element, or at its point where that belongs to an ancestor or to its label; returns a note then.

    Raises:
        Error: as Playwright, also for an element that anything else covers.
    """
    try:
        await act(Attempt(deadline.left_ms * (1 - RESERVE), force=False))
    except WaitTimeoutError as error:
        if "action done" in str(error):  # and it waited for a page that the action opens
            raise
        receiver = await _receiver(element, position, deadline) if _is_covered(str(error)) else None
        await act(Attempt(deadline.left_ms, force=receiver is not None))
        return f"the point belongs to {_WORDS[receiver]}, which received the action" if receiver else None
    except Error as error:
        if not closed_by_action(str(error)) or not element.page.context.pages:
            raise
    return None


def closed_by_action(text: str) -> bool:
    """Tell whether an error says that the page closed once the action was under way, as by a button Close. Pure."""
    return is_closed(text) and "- performing " in text


_WORDS = {"label": "the element's label", "ancestor": "an ancestor of the element"}


def _is_covered(text: str) -> bool:
    return _COVERED in text


async def _receiver(element: Locator, position: Position | None, deadline: Deadline) -> str | None:
    found: str | None = await element.evaluate(_RECEIVER, position, timeout=deadline.left_ms)
    return found
