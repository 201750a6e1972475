"""Playwright's suggestions for one of several elements, in the words of a case."""

from __future__ import annotations

import pytest

from processors.browser.failures import ambiguous
from processors.browser.suggestions import suggested_target


@pytest.mark.parametrize(
    ("locator", "target"),
    [
        ('get_by_role("button", name="Save", exact=True)', "{role: button, name: Save, exact: true}"),
        ('get_by_role("button", name="Save").first', "{role: button, name: Save, first: true}"),
        ('get_by_role("button").nth(2)', "{role: button, nth: 2}"),
        ('get_by_text("7 % off").last', '{text: "7 % off", last: true}'),
        ('get_by_label("on")', '{label: "on"}'),
        ('get_by_placeholder("Your name")', "{placeholder: Your name}"),
        ('get_by_alt_text("Café")', '{alt: "Café"}'),
        ('get_by_title("a \\"b\\"")', '{title: "a \\"b\\""}'),
        ('get_by_test_id("cart")', "{test_id: cart}"),
        ('locator("[id=\\"x-1\\"]")', '{css: "#x-1"}'),
        ('locator("li > b")', '{css: "li > b"}'),
        (
            'get_by_role("listitem").filter(has_text="Tea").get_by_role("button", name="Add")',
            "{role: button, name: Add, within: {role: listitem, has_text: Tea}}",
        ),
        ('get_by_role("button", name=re.compile(r"a"))', None),
        ('get_by_role("button", pressed=True)', None),
        ("page", None),
        ('page.get_by_text("a")', None),
        ('locator("a").content_frame.get_by_text("a")', None),
        ("not python (", None),
        ("", None),
        ("(" * 100_000, None),
    ],
)
def test_a_suggestion(locator: str, target: str | None) -> None:
    """What has no counterpart is left out rather than guessed."""
    assert suggested_target(locator) == target


def test_the_message_lists_matches_with_their_targets() -> None:
    """A line without a suggestion is shown as it is."""
    text = (
        'Error: strict mode violation: get_by_text("Save") resolved to 2 elements:\n'
        '    1) <b>Save</b> aka get_by_role("cell", name="Save")\n    2) <i>Save aka x</i>\n\nCall log:\n'
    )
    assert str(ambiguous(text, "text 'Save'")) == (
        "text 'Save' matches 2 elements: 1) <b>Save</b> is {role: cell, name: Save}; 2) <i>Save aka x</i>. "
        "Use the target of one of them, or narrow yours by `exact`, `within`, `has_text` or `nth`."
    )
