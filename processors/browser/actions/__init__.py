"""The coroutine of each action of the format. `qa_queue/cases/actions` has the same modules."""

from processors.browser.action_context import PERFORMERS, ActionContext, Performed
from processors.browser.actions import assertion, fields, navigation, page, pointer
from processors.browser.egress.hosts import document_url
from processors.browser.secret_input import refuse_host
from qa_queue.cases.actions import Fill, Type
from qa_queue.cases.steps import Action

__all__ = ["assertion", "fields", "navigation", "page", "perform", "pointer"]


async def perform(context: ActionContext[Action]) -> Performed:
    """Perform the action of a step and return its results."""
    if context.secrets and not isinstance(context.args, (Fill, Type)):  # these look at the field's own document
        refuse_host(context, document_url([context.page.url]))
    return await PERFORMERS[type(context.args)](context) or Performed()
