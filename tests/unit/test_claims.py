"""One of many does what all need."""

from __future__ import annotations

from processors.base.claims import Claims


def test_who_comes_first_has_it_until_it_is_released() -> None:
    """Asked again, the holder still has it; the next one gets it afterwards."""
    claims, one, other = Claims(), object(), object()
    assert [claims.take("a", who) for who in (one, other, one)] == [True, False, True]
    assert claims.take("b", other)
    claims.release(one)
    assert [claims.take(thing, other) for thing in ("a", "b")] == [True, True]
    assert not claims.take("b", one)
