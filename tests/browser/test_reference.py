"""The example of each word of the case language, in Chromium: it passes, or fails with the message in its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.reference import serve
from qa_queue.cases.model import Case
from qa_queue.cases.reader import load_cases
from qa_queue.models import EvidenceMode, ScreenshotMode, TestConfig
from tests.support.running import ExecutionHarness

EXAMPLES = Path(__file__).parents[2] / "examples" / "reference"
FAILS = "Fails: "
# Nothing here looks at the evidence, whose recording takes a fourth of the time.
NO_EVIDENCE = TestConfig(trace=EvidenceMode.OFF, screenshots=ScreenshotMode.OFF)
CASES = [
    pytest.param(file, case, id=f"{file.parent.name}-{file.stem}-{number}")
    for file in sorted(EXAMPLES.glob("*/*.yaml"))
    for number, case in enumerate(load_cases(file), 1)
]


@pytest.fixture(scope="module")
def workbench() -> Iterator[str]:
    with serve() as url:
        yield url


@pytest.mark.parametrize(("file", "case"), CASES)
async def test_an_example_does_what_it_says(
    harness: ExecutionHarness, workbench: str, file: Path, case: Case
) -> None:
    """People copy it, and the message of a failure is what they will read."""
    data = harness.submit(
        case, env={"BASE_URL": workbench}, case_dir=str(file.parent), trusted=True, config=NO_EVIDENCE
    )
    result = await harness.run(data)
    if case.name.startswith(FAILS):
        assert result.status == "failed"
        assert case.name.removeprefix(FAILS) in (result.error or "")
    else:
        assert (result.status, result.error) == ("completed", None)
