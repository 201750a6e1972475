"""The coroutine of each action of the format. `qa_queue/cases/actions` has the same modules."""

from typing import Any

from processors.browser.action_context import PERFORMERS, ActionContext, Performed, Performer
from processors.browser.actions import (
    assertion,
    fields,
    mocking,
    navigation,
    network,
    page,
    pages,
    pointer,
    state,
    variables,
)
from processors.browser.secret_input import refuse_host
from qa_queue.cases.actions import Fill, Request, Type
from qa_queue.cases.steps import Action
from qa_queue.cases.urls import document_url

__all__ = [
    "assertion",
    "fields",
    "mocking",
    "navigation",
    "network",
    "page",
    "pages",
    "perform",
    "pointer",
    "state",
    "variables",
]
_OWN_CHECKS = (Fill, Type, Request)  # they look at the field's own document, or the address of the request


async def perform(context: ActionContext[Action], finish: Performer[Any] | None = None) -> Performed:
    """Perform the action of a step, or with `finish` the end of it, and return its results."""
    if context.secrets and not isinstance(context.args, _OWN_CHECKS):
        refuse_host(context, document_url([context.page.url]))
    return await (finish or PERFORMERS[type(context.args)])(context) or Performed()
