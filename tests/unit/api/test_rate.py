"""The token bucket, with time as a value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qa_queue.api.http_limits import MOST_CALLERS, ConcurrencyLimit, ConcurrencyLimiter, RateLimiter, take


def test_a_full_bucket_holds_a_minutes_worth() -> None:
    """The next request waits for one token."""
    bucket = None
    for _ in range(60):
        bucket, wait = take(bucket, 0.0, 60)
        assert wait == 0
    assert take(bucket, 0.0, 60)[1] == 1.0
    assert take(bucket, 0.5, 60)[1] == 0.5
    assert take(bucket, 1.0, 60)[1] == 0


@given(st.lists(st.floats(0, 10), max_size=200), st.integers(1, 100))
def test_no_caller_gets_more_than_its_rate(pauses: list[float], per_minute: int) -> None:
    """Whatever the rhythm: a minute's worth at once, and then the rate."""
    bucket, now, passed = None, 0.0, 0
    for pause in pauses:
        now += pause
        bucket, wait = take(bucket, now, per_minute)
        passed += wait == 0
    assert passed <= per_minute + now * per_minute / 60 + 1e-6


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    """Nor does it take anything."""
    bucket, _ = take(None, 100.0, 60)
    assert take(bucket, 50.0, 60)[0].tokens == 58.0


def test_callers_do_not_hinder_each_other_and_are_forgotten_in_time() -> None:
    """Memory is bounded, however many come."""
    limiter = RateLimiter(1, clock=lambda: 0.0)
    assert limiter.wait_s("ann") == 0
    assert limiter.wait_s("ann") == 60
    assert limiter.wait_s("bob") == 0
    for number in range(MOST_CALLERS):
        limiter.wait_s(str(number))
    assert limiter.wait_s("ann") == 0


def test_requests_at_once_are_counted_by_caller_and_limit() -> None:
    """One that ends lets the next one in; other callers, paths and limits are not concerned."""
    checks = ConcurrencyLimit(paths=("/validate", "/report"), most=2, setting="A", retry_after_s=1)
    streams = ConcurrencyLimit(paths=("/events",), most=1, setting="B", retry_after_s=60)
    limiter = ConcurrencyLimiter([checks, streams])

    def tried(caller: str, path: str) -> ConcurrencyLimit | None:
        with limiter.request(caller, path) as exceeded:
            return exceeded

    with limiter.request("ann", "/cases/validate"), limiter.request("ann", "/runs/1/report") as second:
        assert second is None
        assert tried("ann", "/cases/validate") is checks
        assert tried("bob", "/cases/validate") is tried("ann", "/runs") is tried("ann", "/events") is None
    assert tried("ann", "/cases/validate") is None
    assert limiter._running == {}
