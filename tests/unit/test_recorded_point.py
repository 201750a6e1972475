"""The point of a recorded action on the element as it is now."""

from __future__ import annotations

import pytest

from processors.browser.failures import StepFailedError
from processors.browser.pointing import Surface, choose_point


def surface(width: float = 400, height: float = 300, hit: bool | None = True, **fields: object) -> Surface:
    """An element of this size; a container unless it is a control."""
    return Surface(**{"width": width, "height": height, "hit": hit, "control": False, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("recorded", "now", "point"),
    [
        ((350, 20), surface(), {"x": 350, "y": 20}),
        ((350, 20), surface(hit=None), {"x": 350, "y": 20}),
        ((350, 20), surface(hit=False), {"x": 350, "y": 20}),
        ((350, 20), surface(border=(3, 2)), {"x": 347, "y": 18}),
        ((350, 20), surface(control=True), {"x": 350, "y": 20}),
        ((350, 20), surface(control=True, hit=False), None),
        ((350, 20), surface(width=200, control=True, hit=False), None),
        ((30, 10), surface(24, 24, hit=False), None),
        ((-5, 10), surface(control=True, hit=False), None),
        ((0, 0), surface(), {"x": 0, "y": 0}),
        ((350, 700), surface(hit=True), {"x": 350, "y": 700}),
    ],
)
def test_the_recorded_point_is_used_where_it_decides(
    recorded: tuple[float, float], now: Surface, point: dict[str, float] | None
):
    """A control or a small element is taken in its middle where the point is not on it."""
    assert choose_point(recorded, now, subject="`#a`") == point


@pytest.mark.parametrize("recorded", [(400, 20), (20, 300), (-1, 20)])
def test_a_point_beside_a_container_is_refused(recorded: tuple[float, float]):
    """Its middle may be another element."""
    with pytest.raises(StepFailedError) as caught:
        choose_point(recorded, surface(hit=False), subject="`#a`")

    assert str(caught.value) == (
        f"`#a` is 400 x 300 px now and no longer has the recorded point {recorded[0]}, {recorded[1]}: "
        "replace `recorded_at` by a `position` on the element"
    )
