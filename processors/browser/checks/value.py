"""The check of a value."""

from __future__ import annotations

from typing import Any

from processors.browser.action_context import ActionContext, checks
from processors.browser.failures import StepFailedError
from qa_queue.cases.checks import ValueCheck
from qa_queue.models import ErrorKind


@checks(ValueCheck)
async def value(_call: ActionContext[Any], check: ValueCheck) -> None:
    """Compare the value once: it does not change while the step waits."""
    if fault := check.fault():
        raise StepFailedError(ErrorKind.ASSERTION, fault)
