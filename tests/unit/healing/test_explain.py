"""A decision is explained in one line and as a table."""

from processors.healing.decision import decide
from processors.healing.explain import explain
from tests.unit.healing.support import menu, moved, named, page


def test_a_heal_names_the_properties_for_and_against_it() -> None:
    """A link that went to another row keeps its words and loses its place."""
    new = [*menu("Home", "Coffee"), *[moved(each, dx=500, dy=800) for each in menu("Mugs", "Cups", "Tea")]]
    explanation = explain(decide(named(page(), "Tea"), new))
    assert explanation.line.startswith("found, ")
    assert 'wording "Tea"' in explanation.line.split("; against: ")[0]
    assert "place 300,10 -> 800,810" in explanation.line.split("; against: ")[1]


def test_a_refusal_names_its_reason_and_the_best_candidate() -> None:
    """The reader sees the most likely candidate and the reason why it was not accepted."""
    explanation = explain(decide(named(page(), "Tea"), menu("Home", "Coffee", "Mugs")))
    assert explanation.line.startswith("refused: nothing is similar enough; the most likely one has ")
    assert 'wording "Tea" -> "Mugs"' in explanation.line


def test_an_empty_page_is_explained_too() -> None:
    """Without candidates there is a reason and no table."""
    explanation = explain(decide(page()[0], []))
    assert explanation.line == "refused: no candidates"
    assert explanation.rows == ()


def test_the_table_has_every_property_by_weight() -> None:
    """Ten rows by weight, with the points that the decision used."""
    decision = decide(named(page(), "Tea"), page())
    rows = explain(decision).rows
    assert len(rows) == 10
    weights = [max(abs(row.points), row.most) for row in rows]
    assert weights == sorted(weights, reverse=True)
    assert {row.name: row.verdict for row in rows}["wording"] == "for"
    assert {row.name: row.verdict for row in rows}["key"] == ""
