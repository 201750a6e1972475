"""The rank of a waiting job: a number that is set once, when it arrives. Pure."""

from __future__ import annotations

from qa_queue.models import Priority

# Wider than any clock in µs (until the year 2041), so bands never overlap; two of them and a clock stay within the
# 2**53 whole numbers that Redis' scores and Lua hold exactly.
BAND_US = 2**51
LOW_AGEING_S = 600

_OFFSETS_US = {
    Priority.URGENT: -2 * BAND_US,
    Priority.HIGH: -BAND_US,
    Priority.NORMAL: 0,
    Priority.LOW: LOW_AGEING_S * 1_000_000,
}


def offset_us(priority: Priority) -> int:
    """How far, in µs, a job of this priority is moved from its moment of arrival; smaller goes first.

    URGENT and HIGH are bands of their own: they always go before what is below them, however long that has waited.
    LOW counts as a NORMAL job that came 10 minutes later: normal jobs overtake it only if they come within those 10
    minutes, so a steady stream of them cannot starve it.
    """
    return _OFFSETS_US[priority]
