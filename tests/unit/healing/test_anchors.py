"""Stored elements that are still there show the place of the sought one."""

from dataclasses import replace

from processors.healing.anchors import Expectation, find_anchor
from processors.healing.candidates import CandidatePage
from processors.healing.decision import HealAccepted, HealRefused, decide
from processors.healing.traits import Traits
from tests.unit.healing.support import element, menu, moved

FOOT = "/html[1]/body[1]/footer[1]/ul[1]"


def test_an_anchor_needs_two_keys_that_agree() -> None:
    """Text and link make one; text alone does not, nor do two holders of the same keys."""
    old = Traits(menu("Tea", nav=FOOT)[0])
    assert find_anchor(old, CandidatePage(menu("Home", "Coffee", "Tea"))) is not None
    assert find_anchor(old, CandidatePage([element("Tea", path="/html[1]/p[1]")])) is None
    twice = [*menu("Tea"), *menu("Tea", nav=FOOT)]
    assert find_anchor(Traits(menu("Tea", nav="/html[1]/aside[1]")[0]), CandidatePage(twice)) is None


def test_anchors_move_the_expected_place() -> None:
    """The row moved down by 900 px, so the link is expected 900 px lower."""
    tea, coffee = menu("Tea", "Coffee", nav=FOOT)
    new = [moved(each, dy=900) for each in (tea, coffee)]
    anchor = find_anchor(Traits(coffee), CandidatePage(new))
    assert anchor is not None
    assert Expectation(Traits(tea), [anchor]).fit(new[0].box) == (1.0, 1.0)
    assert max(Expectation(Traits(tea), [anchor]).fit(tea.box)) < 0.001
    assert Expectation(Traits(tea), []).fit(tea.box) == (0.0, 0.0)


def test_anchors_tell_twins_apart() -> None:
    """Two rows have "Help", and the page grew by 900 px: the adjacent link identifies the row."""
    first, second = menu("Shop", "Help", y=500.0), menu("Legal", "Help", nav=FOOT, y=1000.0)
    rows = [moved(each, dy=900) for each in (*first, *second)]
    page = [replace(each, xpath=f"/p[{at}]/a[1]", neighbours=()) for at, each in enumerate(rows)]
    assert isinstance(decide(second[1], page), HealRefused)
    decision = decide(second[1], page, [second[0]])
    assert isinstance(decision, HealAccepted)
    assert page[decision.index].box == rows[3].box
