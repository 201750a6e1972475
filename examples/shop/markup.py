"""Templates: `templates/*` filled in, where every value is escaped unless it is `Html` already."""

from __future__ import annotations

import html
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).parent / "templates"


class Html(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


def render(template: str, **values: object) -> Html:
    """Fill in a template; a missing value is a KeyError."""
    return Html(_template(template).substitute({name: _escaped(value) for name, value in values.items()}))


def join(parts: Iterable[Html]) -> Html:
    return Html("".join(parts))


def when(condition: object, template: str, **values: object) -> Html:
    """The template if the condition holds, else nothing."""
    return render(template, **values) if condition else Html()


def flag(name: str, on: bool) -> Html:
    """A boolean attribute, such as `checked`."""
    return Html(f" {name}" if on else "")


def money(cents: int) -> str:
    """12.5 euros as `€12.50`."""
    return f"€{cents // 100}.{cents % 100:02d}"


@cache
def _template(name: str) -> Template:
    return Template((TEMPLATES / name).read_text(encoding="utf-8"))


def _escaped(value: object) -> str:
    return value if isinstance(value, Html) else html.escape(str(value))
