"""Properties of decisions on any page."""

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from processors.healing.decision import HealAccepted, HealRefused, Reason, decide
from processors.healing.fingerprint import Fingerprint, fingerprint_document, parse_fingerprint
from tests.unit.healing.support import NAV, element

WORDS = st.text(st.characters(codec="ascii", categories=("L",)), min_size=3, max_size=9)


@st.composite
def pages(draw: st.DrawFn) -> list[Fingerprint]:
    """Up to a dozen links with different words, scattered over the page."""
    words = draw(st.lists(WORDS, min_size=1, max_size=12, unique_by=str.lower))
    corners = draw(st.lists(st.tuples(_PX, _PX), min_size=len(words), max_size=len(words), unique=True))
    return [
        element(word, path=f"{NAV}/li[{number}]/a[1]", href=f"https://shop.example/{word}", x=float(x), y=float(y))
        for number, (word, (x, y)) in enumerate(zip(words, corners, strict=True), start=1)
    ]


_PX = st.integers(min_value=0, max_value=2000)


@settings(deadline=None)
@given(pages(), st.data())
def test_an_identical_element_is_always_accepted(page: list[Fingerprint], data: st.DataObject) -> None:
    """Every unique element of an unchanged page is found."""
    sought = data.draw(st.sampled_from(page))
    decision = decide(sought, page)
    assert isinstance(decision, HealAccepted)
    assert page[decision.index] == sought
    assert 0 <= decision.margin <= decision.score <= 1 + 1e-9


@settings(deadline=None)
@given(pages(), st.data())
def test_the_order_of_candidates_does_not_matter(page: list[Fingerprint], data: st.DataObject) -> None:
    """A re-ordered list of candidates leads to the same element or the same refusal."""
    sought = replace(data.draw(st.sampled_from(page)), text=data.draw(WORDS))
    shuffled = data.draw(st.permutations(page))
    one, other = decide(sought, page), decide(sought, shuffled)
    assert type(one) is type(other)
    if isinstance(one, HealAccepted) and isinstance(other, HealAccepted):
        assert page[one.index] == shuffled[other.index]
    if isinstance(one, HealRefused) and isinstance(other, HealRefused):
        assert abs(one.score - other.score) < 1e-9


@settings(deadline=None)
@given(pages())
def test_exact_twins_are_never_accepted(page: list[Fingerprint]) -> None:
    """Two elements with equal traits cannot be distinguished."""
    sought = page[0]
    twins = [replace(sought, xpath=f"/html[1]/body[1]/p[{number}]", id_xpath="") for number in (1, 2)]
    assert isinstance(decide(sought, [*twins, *page[1:]]), HealRefused)


@settings(deadline=None)
@given(pages(), st.data())
def test_other_stored_elements_only_exclude_candidates(page: list[Fingerprint], data: st.DataObject) -> None:
    """A candidate identical to another stored element is never accepted."""
    sought, other = data.draw(st.sampled_from(page)), data.draw(st.sampled_from(page))
    assume(sought != other)
    decision = decide(sought, [each for each in page if each != sought], [other])
    assert not isinstance(decision, HealAccepted) or page[decision.index] != other


@settings(deadline=None)
@given(pages())
def test_nothing_is_found_on_an_empty_page(page: list[Fingerprint]) -> None:
    """Without candidates every search is refused."""
    decision = decide(page[0], [], page[1:])
    assert isinstance(decision, HealRefused)
    assert decision.reason is Reason.NO_CANDIDATES


@settings(deadline=None)
@given(pages())
def test_a_fingerprint_survives_storage(page: list[Fingerprint]) -> None:
    """JSON restores it unchanged."""
    for fingerprint in page:
        assert parse_fingerprint(fingerprint_document(fingerprint)) == fingerprint
