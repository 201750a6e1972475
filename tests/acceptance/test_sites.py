"""Tests of small sites, as plain Playwright and as cases: the same verdict on the correct sites and on each bug."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Error, async_playwright, expect

from examples.sites import TESTS, SiteTest, playwright_tests, serve
from processors.browser.pool import WarmBrowserPool
from qa_queue.cases.model import Case
from qa_queue.cases.reader import load_cases
from qa_queue.cases.steps import Step
from qa_queue.producer.requests import RunRequest
from qa_queue.producer.validation import expanded
from tests.support.running import NO_EVIDENCE, ExecutionHarness

CASES = Path(__file__).parents[2] / "examples" / "sites" / "cases"
PATIENT_MS, IMPATIENT_MS = 60_000, 2_000  # at correct sites, where none is to be found; and with a bug
CORRECT = ""


@dataclass(frozen=True)
class Bench:
    """One browser for each form of the tests, on one event loop."""

    loop: asyncio.Runner
    browser: Browser
    harness: ExecutionHarness

    def errors(self, test: SiteTest) -> dict[str, dict[str, str]]:
        """Run both forms of a test at the correct sites, then at those with each bug: these wait side by side."""
        return self.loop.run(self._errors(test))

    async def _errors(self, test: SiteTest) -> dict[str, dict[str, str]]:
        correct = await self._errors_with(test, CORRECT)
        buggy = await asyncio.gather(*(self._errors_with(test, bug) for bug in test.bugs))
        return {CORRECT: correct, **dict(zip(test.bugs, buggy, strict=True))}

    async def _errors_with(self, test: SiteTest, bug: str) -> dict[str, str]:
        """Return what each form finds at sites of its own with a bug; nothing where it passes."""
        timeout_ms = PATIENT_MS if bug == CORRECT else IMPATIENT_MS
        expect.set_options(timeout=timeout_ms)
        with serve(bug) as one, serve(bug) as other:
            python, yaml = await asyncio.gather(
                self._python(test, one, timeout_ms), self._yaml(test, other, timeout_ms)
            )
        return {"python": python, "yaml": yaml}

    async def _python(self, test: SiteTest, url: str, timeout_ms: int) -> str:
        context = await self.browser.new_context(base_url=url)
        context.set_default_timeout(timeout_ms)
        try:
            await getattr(playwright_tests, test.name)(await context.new_page())
        except (AssertionError, Error) as error:
            return str(error) or type(error).__name__
        finally:
            await context.close()
        return ""

    async def _yaml(self, test: SiteTest, url: str, timeout_ms: int) -> str:
        (case,) = load_cases(CASES / f"{test.name}.yaml")
        requests = expanded(RunRequest(case=_with_time(case, timeout_ms), env={"BASE_URL": url}))
        return "\n".join(filter(None, [await self._run(request) for request in requests]))

    async def _run(self, request: RunRequest) -> str:
        values = {"env": request.env, "data_row": request.data_row, "case_dir": str(CASES)}
        data = self.harness.submit(request.case, **values, config=NO_EVIDENCE)
        result = await self.harness.run(data)
        return "" if result.status == "completed" else result.error or result.status


def _with_time(case: Case, timeout_ms: int) -> Case:
    """The case with this time for its steps; a short one finds a planted bug sooner."""

    def timed(step: Step) -> Step:
        if step.timeout_ms or "timeout" in step.args.unused_fields:
            return step
        return step.model_copy(update={"timeout_ms": timeout_ms})

    return case.model_copy(update={"steps": tuple(map(timed, case.steps))})


@pytest.fixture(scope="module")
def bench(browser_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Both browsers, for all tests."""
    with asyncio.Runner() as loop:
        pool = WarmBrowserPool(lambda: browser_path)
        harness = ExecutionHarness(browser=pool, artifacts_dir=tmp_path_factory.mktemp("sites"))
        driver = loop.run(async_playwright().start())
        browser = loop.run(driver.chromium.launch(executable_path=browser_path, chromium_sandbox=False))
        try:
            yield Bench(loop, browser, harness)
        finally:
            loop.run(browser.close())
            loop.run(driver.stop())
            loop.run(pool.close())
            harness.close()
            expect.set_options(timeout=5_000)


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.name)
def test_both_forms_find_each_bug_and_nothing_else(bench: Bench, test: SiteTest) -> None:
    """On the correct sites they pass, and with either bug planted they fail."""
    errors = bench.errors(test)
    assert errors.pop(CORRECT) == {"python": "", "yaml": ""}
    assert {(bug, form) for bug, found in errors.items() for form in found if found[form]} == {
        (bug, form) for bug in test.bugs for form in ("python", "yaml")
    }


def test_twenty_tests_of_eight_kinds_have_both_forms_and_bugs_of_their_own() -> None:
    """A case, a function and two bugs each."""
    bugs = [bug for test in TESTS for bug in test.bugs]
    assert (len(TESTS), len(set(bugs))) == (20, 40)
    assert len({test.kind for test in TESTS}) >= 8
    assert {file.stem for file in CASES.glob("*.yaml")} == {test.name for test in TESTS}
    assert all(hasattr(playwright_tests, test.name) for test in TESTS)
