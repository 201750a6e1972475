"""The delays before an ended process is restarted."""

from __future__ import annotations

import pytest

from qa_queue.local.supervise import MAX_STARTS, RESTART_WINDOW_S, restart_delay


@pytest.mark.parametrize(
    ("starts", "delay"),
    [
        ([100.0], 0.0),
        ([99, 100], 1.0),
        ([98, 99, 100], 2.0),
        ([97, 98, 99, 100], 4.0),
        ([96, 97, 98, 99, 100], None),
    ],
)
def test_restart_delays_double_and_then_end(starts: list[float], delay: float | None) -> None:
    """The first restart is immediate; after five starts within a minute there are no more."""
    assert restart_delay(starts, now=101.0) == delay


def test_a_process_that_ends_rarely_is_always_restarted() -> None:
    """Starts before the window do not count."""
    starts = [hour * 3600.0 for hour in range(20)]
    assert restart_delay(starts, now=starts[-1] + 10) == 0.0


def test_the_window_is_counted_from_now() -> None:
    """Five starts that have just left the window are forgotten."""
    assert restart_delay([0.0] * MAX_STARTS, now=RESTART_WINDOW_S) is None
    assert restart_delay([0.0] * MAX_STARTS, now=RESTART_WINDOW_S + 0.1) == 0.0
