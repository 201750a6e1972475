"""Whether a driver and a browser that do not answer are at work."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from processors.browser.flood import worked


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"driver": 1.0, "page": 2.0}, {"driver": 1.2, "page": 2.2}, True),
        ({"driver": 1.0, "page": 2.0}, {"driver": 1.1, "page": 2.1}, False),
        ({"driver": 1.0}, {"driver": 1.0, "new page": 0.3}, True),
        ({"driver": 1.0, "flooding page": 60.0}, {"driver": 1.1}, True),
        ({}, {}, False),
    ],
    ids=["they worked", "too little", "a page was opened", "a page was closed", "without processes"],
)
def test_a_browser_works_that_uses_cpu_or_ends_processes(
    before: Mapping[str, float], after: Mapping[str, float], *, expected: bool
) -> None:
    """A page takes its CPU time with it."""
    assert worked(dict(before), dict(after), 0.3) is expected
