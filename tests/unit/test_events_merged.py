"""Events of several Redis servers as one sequence."""

from __future__ import annotations

from datetime import UTC, datetime

from qa_queue.queues.events import PAGE, QueueEvent, merged


def event(event_id: str) -> QueueEvent:
    return QueueEvent(id=event_id, kind="active", queue="q", job_id="j", at=datetime.now(UTC), data={})


def test_they_come_in_the_order_of_their_moments() -> None:
    """As numbers, not as text."""
    pages = [[event("9-0"), event("10-2")], [event("10-1")], []]
    assert [one.id for one in merged(pages)] == ["9-0", "10-1", "10-2"]


def test_none_is_reported_before_another_that_a_full_page_may_hold_back() -> None:
    """The next look begins behind the last one that was returned."""
    full = [event(f"{number}-0") for number in range(PAGE)]
    assert merged([full, [event("100-1"), event("9999-0")]])[-1].id == f"{PAGE - 1}-0"
    assert len(merged([full, [event("100-1"), event("9999-0")]])) == PAGE + 1
