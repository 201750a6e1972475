"""The example of each word of the case language, in Chromium: it passes, or fails with the message in its name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from examples.reference import serve
from qa_queue.cases.reader import load_cases
from tests.support.running import NO_EVIDENCE, ExecutionHarness

EXAMPLES = Path(__file__).parents[2] / "examples" / "reference"
FAILS = "Fails: "


def cases_in(file: Path) -> int:
    """The number of cases in a file, without the time that reading them takes: each process collects all tests."""
    document = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    return len(document.get("cases", [] if "flow" in document else [document]))


CASES = [
    pytest.param(file, number, id=f"{file.parent.name}-{file.stem}-{number}")
    for file in sorted(EXAMPLES.glob("*/*.yaml"))
    for number in range(1, cases_in(file) + 1)
]
read = cache(load_cases)


@pytest.fixture(scope="module")
def workbench() -> Iterator[str]:
    with serve() as url:
        yield url


def test_every_case_is_an_example() -> None:
    """Of every file."""
    assert all(cases_in(file) == len(read(file)) for file in EXAMPLES.glob("*/*.yaml"))


@pytest.mark.parametrize(("file", "number"), CASES)
async def test_an_example_does_what_it_says(
    harness: ExecutionHarness, workbench: str, file: Path, number: int
) -> None:
    """People copy it, and the message of a failure is what they will read."""
    case = read(file)[number - 1]
    data = harness.submit(
        case, env={"BASE_URL": workbench}, case_dir=str(file.parent), trusted=True, config=NO_EVIDENCE
    )
    result = await harness.run(data)
    if case.name.startswith(FAILS):
        assert result.status == "failed"
        assert case.name.removeprefix(FAILS) in (result.error or "")
    else:
        assert (result.status, result.error) == ("completed", None)
