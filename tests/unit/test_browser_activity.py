"""Whether a driver and a browser that do not answer are at work."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping

import pytest

from processors.browser.flood import idle_share, worked

Linux = namedtuple("Linux", "user system idle iowait steal")
Mac = namedtuple("Mac", "user system idle")


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


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        (Linux(10, 5, 100, 1, 0), Linux(11, 5, 104, 2, 4), 0.5),
        (Linux(10, 5, 100, 1, 0), Linux(12, 6, 100, 1, 3), 0.0),
        (Mac(10, 5, 100), Mac(11, 5, 103), 0.75),
        (Mac(10, 5, 100), Mac(10, 5, 100), 1.0),
    ],
    ids=["half", "none", "a Mac", "no time between them"],
)
def test_the_idle_part_of_a_machine(before: Linux | Mac, after: Linux | Mac, share: float) -> None:
    """Time that other virtual machines took is not idle; time of waiting for a disk is."""
    assert idle_share(before, after) == share
