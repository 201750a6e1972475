"""The action that checks."""

from __future__ import annotations

from processors.browser.action_context import ActionContext, Performed, performs
from processors.browser.checks import make
from qa_queue.cases.actions import CheckValue, Expect


@performs(Expect)
async def expect(call: ActionContext[Expect]) -> Performed | None:
    """Make one check until it holds."""
    return await make(call, call.args.check)


@performs(CheckValue)
async def check_value(call: ActionContext[CheckValue]) -> None:
    """Compare a value."""
    await make(call, call.args.check)
