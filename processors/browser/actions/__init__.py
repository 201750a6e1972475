"""The coroutine of each action of the format. `qa_queue/cases/actions` has the same modules."""

from processors.browser.action_context import PERFORMERS, ActionContext
from processors.browser.actions import assertion, fields, navigation, page, pointer
from qa_queue.cases.steps import Action

__all__ = ["assertion", "fields", "navigation", "page", "perform", "pointer"]


async def perform(context: ActionContext[Action]) -> bytes | None:
    """Perform the action of a step; returns the picture that it took, if any."""
    return await PERFORMERS[type(context.args)](context)
