"""The identity of elements across all versions: the attribute `data-truth`.

Its value is the page's path and the element's CSS path in the ORIGINAL page, given before anything is changed. An
element that a version adds has none, apart from a wrapper that holds nothing but the element: a click on it is a
click on the element, so it carries the same key. Look-alikes carry a key of their own. Code that collects
fingerprints or makes locators has to ignore this attribute.
"""

from __future__ import annotations

import re

from bs4 import BeautifulSoup, Tag

TRUTH = "data-truth"
LOOK_ALIKE = "look-alike of "
_NUMBERED = re.compile(r"^(/order/).+")


def annotate(soup: BeautifulSoup, path: str) -> None:
    """Give every element of the body its key."""
    page = _NUMBERED.sub(r"\1*", path)
    for element in soup.body.find_all(True) if soup.body else ():
        element[TRUTH] = f"{page} {css_path(element)}"


def css_path(element: Tag) -> str:
    """The way to an element from the nearest ancestor with an id, or from the body; itself where it has an id."""
    steps: list[str] = []
    node: Tag | None = element
    while node is not None and node.name != "body":
        if node.get("id"):
            steps.append(f"#{node['id']}")
            break
        steps.append(f"{node.name}:nth-of-type({len(node.find_previous_siblings(node.name)) + 1})")
        node = node.parent
    return " > ".join(reversed(steps))


def key_of(element: Tag) -> str | None:
    """The element's own key."""
    value = element.get(TRUTH)
    return value if isinstance(value, str) else None


def forget(element: Tag) -> None:
    """Take the keys from an element and all in it: it is a copy, or something else now."""
    for one in [element, *element.find_all(True)]:
        del one[TRUTH]


def disguise(element: Tag) -> None:
    """Mark an element as a look-alike of what it was, and all in it as no one."""
    key = key_of(element)
    forget(element)
    if key is not None:
        element[TRUTH] = LOOK_ALIKE + key
