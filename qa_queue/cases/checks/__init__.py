"""Every check of the format, one class each. `processors/browser/checks` has the same modules."""

from qa_queue.cases.checks.base import CHECKS, AnyCheck, Check, ElementCheck, FlagCheck, PageCheck
from qa_queue.cases.checks.element import (
    ToBeChecked,
    ToBeDisabled,
    ToBeEnabled,
    ToBeHidden,
    ToBeVisible,
    ToContainText,
    ToHaveCount,
    ToHaveText,
    ToHaveValue,
)
from qa_queue.cases.checks.network import (
    ToHaveNoConsoleErrors,
    ToHaveNoFailedRequests,
    ToHaveRequest,
    ToHaveResponse,
)
from qa_queue.cases.checks.page import ToHaveTitle, ToHaveURL
from qa_queue.cases.checks.value import ValueCheck

__all__ = [
    "CHECKS",
    "AnyCheck",
    "Check",
    "ElementCheck",
    "FlagCheck",
    "PageCheck",
    "ToBeChecked",
    "ToBeDisabled",
    "ToBeEnabled",
    "ToBeHidden",
    "ToBeVisible",
    "ToContainText",
    "ToHaveCount",
    "ToHaveNoConsoleErrors",
    "ToHaveNoFailedRequests",
    "ToHaveRequest",
    "ToHaveResponse",
    "ToHaveText",
    "ToHaveTitle",
    "ToHaveURL",
    "ToHaveValue",
    "ValueCheck",
]
