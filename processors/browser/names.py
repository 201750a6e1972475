"""The locators that may name an element, the best first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from processors.healing.fingerprint import Fingerprint
from qa_queue.cases.targets import Target

MOST_CHARS = 80  # a longer text is prose, which changes
_FIELDS = ("input", "select", "textarea")


def candidate_targets(found: Fingerprint, css: Sequence[str], xpath: str | None) -> list[Target]:
    """Test id, role and name, label, text, CSS, XPath; whether one of them is unique the page has to say."""
    targets = [*_by_meaning(found), *(Target(css=selector) for selector in css)]
    return [*targets, Target(xpath=xpath)] if xpath else targets


def _by_meaning(found: Fingerprint) -> Iterator[Target]:
    for value in found.test_ids:
        yield Target(test_id=value)
    if found.role and _short(found.accessible_name):
        yield Target(role=found.role, name=found.accessible_name, exact=True)
    if _short(found.label):
        yield Target(label=found.label, exact=True)
    if found.tag not in _FIELDS and _short(found.text):
        yield Target(text=found.text, exact=True)


def _short(text: str | None) -> bool:
    return bool(text) and len(text or "") <= MOST_CHARS
