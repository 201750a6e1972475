"""Grouping of failures by their probable cause. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qa_queue.reports.model import Test

# What differs between two occurrences of one cause: ids, quoted values, addresses, numbers.
_VARIABLE = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"https?://[^\s'\"]+"), "<url>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<address>"),
    (re.compile(r"\d+(?:\.\d+)?"), "<n>"),
)
_FOUND = re.compile(r", found .*$")


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Tests that failed for the same probable cause. `title` is the message of the first one."""

    title: str
    kind: str
    tests: tuple[Test, ...]


def signature(test: Test) -> tuple[str, str]:
    """Return the error kind of a failed test and its message without what varies between occurrences."""
    lines = (test.error or "").strip().splitlines()
    text = _FOUND.sub("", lines[0] if lines else "")
    for pattern, replacement in _VARIABLE:
        text = pattern.sub(replacement, text)
    return test.error_kind or "", text


def group(failures: Sequence[Test]) -> tuple[Cause, ...]:
    """Group failed tests by signature, the largest group first; groups of one size keep the order of the tests."""
    groups: dict[tuple[str, str], list[Test]] = {}
    for test in failures:
        groups.setdefault(signature(test), []).append(test)
    causes = [Cause(title=_title(tests[0]), kind=kind, tests=tuple(tests)) for (kind, _), tests in groups.items()]
    return tuple(sorted(causes, key=lambda cause: -len(cause.tests)))


def _title(test: Test) -> str:
    lines = (test.error or "").strip().splitlines()
    return lines[0] if lines else test.outcome.label
