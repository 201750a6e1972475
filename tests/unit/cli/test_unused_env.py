"""The note about a value that is given by `--env` and that no case uses."""

from __future__ import annotations

from io import StringIO

import pytest

from qa_queue.cli.cases import print_unused_env
from qa_queue.cli.render import Console
from tests.support.queueing import run_request


@pytest.mark.parametrize(
    ("base_url", "name", "expected"),
    [
        ("http://shop.example", "BASE_URL", ["--env BASE_URL is not used", "${env.BASE_URL}", "--base-url moves"]),
        ("http://shop.example", "HOST", ["--env HOST is not used", "${env.HOST}"]),
        ("${env.BASE_URL}", "BASE_URLS", ["--env BASE_URLS is not used", "did you mean 'BASE_URL'?"]),
        ("${env.BASE_URL}", "BASE_URL", []),
    ],
)
def test_a_value_that_no_case_uses_is_noted_with_what_would_use_it(
    base_url: str, name: str, expected: list[str]
) -> None:
    """A case with a fixed `base_url`, as of a recording, is moved by --base-url."""
    console = Console(file=StringIO(), width=80)

    print_unused_env([run_request(fields={"base_url": base_url})], [name], console)

    noted = console.file.getvalue()  # type: ignore[attr-defined]
    assert [words for words in expected if words not in noted] == []
    assert bool(noted) is bool(expected)
