"""States of logins: the contract of Redis and of the memory."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from redis import Redis

from qa_queue.models import utc_now
from qa_queue.queues.login_states import (
    FAILURE_MS,
    LEASE_MS,
    LoginStates,
    MemoryLoginStates,
    RedisLoginStates,
    StoredLogin,
)

DAY_MS = 24 * 3_600_000


class Clock:
    """A time that a test moves; Redis has a clock of its own, whose keys expire instead."""

    def __init__(self, connection: Redis | None) -> None:
        self._connection = connection
        self._now = utc_now()

    def __call__(self) -> datetime:
        return self._now

    def advance(self, milliseconds: int) -> None:
        self._now += timedelta(milliseconds=milliseconds)
        if self._connection is not None:
            for key in self._connection.scan_iter("qa:login:*"):
                left = self._connection.pttl(key)
                self._connection.pexpire(key, left - milliseconds)


@pytest.fixture(params=["memory", "redis"])
def states_and_clock(request: pytest.FixtureRequest) -> tuple[LoginStates, Clock]:
    if request.param == "memory":
        clock = Clock(None)
        return MemoryLoginStates(clock), clock
    connection = request.getfixturevalue("redis_db")
    return RedisLoginStates(connection), Clock(connection)


Parts = tuple[LoginStates, Clock]


def stored(states: LoginStates, digest: str) -> StoredLogin:
    found = states.read(digest)
    assert found is not None
    return found


def test_one_run_creates_a_state_and_others_read_it(states_and_clock: Parts) -> None:
    """A second claim fails while the lease is held, and after the state is there."""
    states, _ = states_and_clock
    fence = states.claim("a")
    assert fence is not None
    assert states.claim("a") is None
    assert states.store("a", fence, b"sealed", DAY_MS)
    assert states.claim("a") is None
    found = stored(states, "a")
    assert (found.sealed, found.fence) == (b"sealed", fence)
    assert abs(found.created_at - utc_now()) < timedelta(minutes=1)


def test_logins_do_not_share_a_lease(states_and_clock: Parts) -> None:
    states, _ = states_and_clock
    assert states.claim("a")
    assert states.claim("b")
    assert states.read("b") is None


def test_a_released_lease_is_free(states_and_clock: Parts) -> None:
    """A run that could not create the state lets the next one try."""
    states, _ = states_and_clock
    fence = states.claim("a")
    assert fence
    states.release("a", fence)
    assert states.claim("a")


def test_a_run_that_died_loses_its_lease(states_and_clock: Parts) -> None:
    """Its successor has a larger fence; what the first one does later has no effect."""
    states, clock = states_and_clock
    first = states.claim("a")
    assert first
    clock.advance(LEASE_MS + 1)
    second = states.claim("a")
    assert second is not None
    assert second > first
    assert not states.renew("a", first)
    assert not states.store("a", first, b"late", DAY_MS)
    states.release("a", first)
    assert states.claim("a") is None
    assert states.store("a", second, b"new", DAY_MS)
    assert stored(states, "a").sealed == b"new"


def test_a_renewed_lease_is_kept(states_and_clock: Parts) -> None:
    states, clock = states_and_clock
    fence = states.claim("a")
    assert fence
    for _ in range(3):
        clock.advance(LEASE_MS // 2)
        assert states.renew("a", fence)
    assert states.claim("a") is None


def test_an_expired_state_is_created_again(states_and_clock: Parts) -> None:
    states, clock = states_and_clock
    fence = states.claim("a")
    assert fence
    assert states.store("a", fence, b"old", 60_000)
    clock.advance(60_001)
    assert states.read("a") is None
    assert states.claim("a", unusable=fence)


def test_an_unusable_state_is_replaced_by_one_run(states_and_clock: Parts) -> None:
    """A run that finds the same state unusable later reads the new one instead of replacing it."""
    states, _ = states_and_clock
    first = states.claim("a")
    assert first
    assert states.store("a", first, b"old", DAY_MS)
    second = states.claim("a", unusable=first)
    assert second
    assert states.store("a", second, b"new", DAY_MS)
    assert states.claim("a", unusable=first) is None
    assert stored(states, "a").sealed == b"new"


def test_a_failure_is_kept_for_those_that_wait(states_and_clock: Parts) -> None:
    """It ends the lease; a run that lost its lease leaves none, and after a minute it is gone."""
    states, clock = states_and_clock
    fence = states.claim("a")
    assert fence
    assert states.failure("a") is None
    assert states.fail("a", fence, b"sealed")
    assert (states.failure("a"), states.failure("b")) == (b"sealed", None)
    assert not states.fail("a", fence, b"late")
    assert states.claim("a")
    clock.advance(FAILURE_MS + 1)
    assert states.failure("a") is None


def test_the_representation_of_a_state_hides_it(states_and_clock: Parts) -> None:
    """Logs may contain it."""
    states, _ = states_and_clock
    fence = states.claim("a")
    assert fence
    states.store("a", fence, b"sealed", DAY_MS)
    assert "sealed" not in repr(states.read("a")).replace("sealed=", "")
