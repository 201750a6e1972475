"""Back-off after failed logins, with time as a value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qa_queue.auth.logins import (
    FAILURES_KEPT_S,
    FREE_FAILURES,
    MAX_BACKOFF_S,
    MAX_FAILURE_KEYS,
    FailureLimiter,
    after_failure,
    wait_s,
)


def test_the_first_failures_are_free_and_the_next_ones_double_the_wait() -> None:
    """Up to a minute."""
    failures, waits = None, []
    for _ in range(FREE_FAILURES + 9):
        failures = after_failure(failures, 0.0)
        waits.append(wait_s(failures, 0.0))
    assert waits == [0] * FREE_FAILURES + [1, 2, 4, 8, 16, 32, MAX_BACKOFF_S, MAX_BACKOFF_S, MAX_BACKOFF_S]
    assert wait_s(failures, MAX_BACKOFF_S - 1) == 1
    assert wait_s(failures, MAX_BACKOFF_S) == 0


def test_failures_are_forgotten() -> None:
    """A person who comes back later begins anew."""
    failures = None
    for _ in range(50):
        failures = after_failure(failures, 0.0)
    assert after_failure(failures, FAILURES_KEPT_S).count == 1
    assert wait_s(failures, FAILURES_KEPT_S) == 0


@given(st.lists(st.floats(0, 120), max_size=300))
def test_guesses_are_few_whatever_their_rhythm(pauses: list[float]) -> None:
    """An attempt counts only when it is made at a time at which it is looked at."""
    failures, now, guesses = None, 0.0, 0
    for pause in pauses:
        now += pause
        if wait_s(failures, now) == 0:
            failures, guesses = after_failure(failures, now), guesses + 1
    assert guesses <= FREE_FAILURES + 8 + now / MAX_BACKOFF_S * (
        1 + FREE_FAILURES * MAX_BACKOFF_S / FAILURES_KEPT_S
    ) + now / FAILURES_KEPT_S * (FREE_FAILURES + 7)


def test_accounts_and_addresses_are_counted_by_themselves() -> None:
    """A client that guesses passwords of many accounts, or one account from many addresses, is slowed down."""
    limiter = FailureLimiter(clock=lambda: 0.0)
    for number in range(FREE_FAILURES + 1):
        limiter.failed("address:a", f"user:{number}")
        limiter.failed(f"address:{number}", "user:b")
    assert limiter.wait_s("address:a", "user:new") == 1
    assert limiter.wait_s("address:new", "user:b") == 1
    assert limiter.wait_s("address:new", "user:new") == 0


def test_memory_is_bounded() -> None:
    """The key that was quiet for longest is forgotten."""
    limiter = FailureLimiter(clock=lambda: 0.0)
    for _ in range(FREE_FAILURES + 1):
        limiter.failed("old")
    for number in range(MAX_FAILURE_KEYS):
        limiter.failed(str(number))
    assert limiter.wait_s("old") == 0
