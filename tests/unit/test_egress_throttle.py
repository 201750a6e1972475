"""The speed of a slow network, with time as a value, and the words of a case for it."""

from __future__ import annotations

import pytest

from processors.browser.egress.throttle import Link, LinkSpeed
from qa_queue.cases.environment import PROFILES, Network, Throttle
from qa_queue.cases.reader import parse_case
from qa_queue.errors import CaseError


def test_pieces_of_data_arrive_one_after_the_other() -> None:
    """Each behind those before it; after a pause the link is free again; the latency comes on top of each."""
    link = Link(rate=1_000, latency=0.5)
    assert [link.delay(500, now) for now in (10.0, 10.0, 10.25)] == [1.0, 1.5, 1.75]
    assert link.delay(1_000, 20.0) == 1.5


def test_a_link_without_a_rate_has_its_latency_alone() -> None:
    """However large the pieces are."""
    assert [Link(None, 0.1).delay(size, 0.0) for size in (1, 10**9)] == [0.1, 0.1]


def test_a_profile_is_its_speed() -> None:
    """In bytes a second and seconds; a part that is not given is not limited."""
    assert LinkSpeed.of(Throttle(profile="slow-3g")) == LinkSpeed(download=50_000, upload=50_000, latency=2.0)
    assert LinkSpeed.of(Throttle(upload=8)) == LinkSpeed(upload=1_000)
    assert {LinkSpeed.of(Throttle(profile=name)) for name in PROFILES} == {
        LinkSpeed.of(one) for one in PROFILES.values()
    }


def network_of(written: object) -> Network | None:
    document = {"name": "x", "use": {"network": written}, "steps": [{"goto": "/"}]}
    return parse_case(document, source="case").use.network


def test_a_case_names_a_profile_or_a_speed() -> None:
    """In short or at length, beside hosts or without."""
    assert network_of({"throttle": "4g"}) == Network(throttle=Throttle(profile="4g"))
    assert network_of({"allow": ["a.example"], "throttle": {"latency": 50}, "trace": True}) == Network(
        allow=("a.example",), throttle=Throttle(latency=50), trace=True
    )


@pytest.mark.parametrize(
    ("throttle", "message"),
    [
        ("5g", "use.network.throttle: '5g' is not one of slow-3g, fast-3g, 4g"),
        ({"profile": "4g", "latency": 5}, "'profile' stands alone: leave out download, upload and latency"),
        ({"download": 0}, "use.network.throttle.download: "),
        ({"latency": 60_001}, "use.network.throttle.latency: "),
        ({"speed": 5}, "unknown key 'speed'"),
    ],
)
def test_what_is_not_a_speed_is_refused(throttle: object, message: str) -> None:
    """With the word that is wrong."""
    with pytest.raises(CaseError) as raised:
        network_of({"throttle": throttle})
    assert message in "; ".join(raised.value.problems)
