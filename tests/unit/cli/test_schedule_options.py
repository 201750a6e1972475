"""The options of schedules as fields."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from qa_queue.cli.schedule_options import _OPTIONS, given, takes_fields
from qa_queue.schedules import read_spec


def typer_app(seen: dict[str, object]) -> typer.Typer:
    """A program of one command, which keeps what it was given."""
    app = typer.Typer()

    @app.command()
    @takes_fields
    def edit(**values: object) -> None:
        seen.update(values)

    return app


@pytest.mark.parametrize("name", sorted(_OPTIONS))
def test_the_word_none_takes_any_field_back(name: str) -> None:
    """Also those with numbers, few values, or several."""
    several = name in ("cases", "env")
    assert given({name: ["none"] if several else "none"}) == {name: None}


def test_every_option_takes_the_word_none_at_the_command_line() -> None:
    """None is refused for its kind before it is looked at."""
    seen: dict[str, object] = {}
    app = typer_app(seen)
    words = [word for option in _OPTIONS.values() for word in (option.__metadata__[0].default, "none")]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 0, ended.output
    assert given(seen) == dict.fromkeys(_OPTIONS)


def test_numbers_and_choices_are_read() -> None:
    """As text from the command line."""
    values = given({"grace_s": "90", "jitter_s": "5", "overlap": "replace", "missed": "all", "max_runs": None})
    spec = read_spec({"name": "x", "tag": "y", "every": "1m", **values})
    assert (spec.grace_s, spec.jitter_s, spec.overlap, spec.missed) == (90, 5, "replace", "all")
