"""The parts that all processors share."""

from __future__ import annotations

from processors.base import Claims


def test_a_claim_is_held_until_it_is_released() -> None:
    """A second request of the holder succeeds; another one succeeds after the release."""
    claims, one, other = Claims(), object(), object()
    assert [claims.take("a", holder) for holder in (one, other, one)] == [True, False, True]
    assert claims.take("b", other)
    claims.release(one)
    assert [claims.take(work, other) for work in ("a", "b")] == [True, True]
    assert not claims.take("b", one)
