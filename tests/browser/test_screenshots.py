"""Screenshots that are compared with their baselines."""

from __future__ import annotations

from pathlib import Path

import pytest

from processors.browser.pictures import difference_of
from qa_queue.cases.data_files import baselines_folder, with_baselines
from qa_queue.cases.model import Case
from qa_queue.cases.reader import load_file
from qa_queue.models import TestJobResult
from qa_queue.models.results import BASELINE
from tests.support.running import ExecutionHarness
from tests.support.site import Site

BOX = """<style>body {{ margin: 0; background: white }}
div {{ width: 100px; height: 50px; background: {colour} }}</style><div></div>"""
FILE = "box-chromium-linux.png"


@pytest.fixture
def case_file(tmp_path: Path, site: Site) -> Path:
    """A case that compares a page with a baseline."""
    file = tmp_path / "box.yaml"
    file.write_text(
        f"name: Box\nbase_url: {site.url}\nsteps:\n- goto: /box\n"
        "- expect: {page: {screenshot: box}, max_diff_pixels: 20}\n  timeout: 3s\n"
    )
    return file


def show(site: Site, colour: str, more: str = "") -> None:
    """Serve the page in a colour."""
    site.page("/box", BOX.format(colour=colour) + more)


async def run(harness: ExecutionHarness, file: Path, *, update: bool = False) -> TestJobResult:
    """Run the case of a file as the command line does, and keep its new baselines beside it."""
    (case,) = load_file(file).cases
    result = await harness.test(case, update_screenshots=update)
    for artifact in harness.artifacts(result.test_run_id):
        if artifact.name.startswith(BASELINE):
            folder = baselines_folder(file)
            folder.mkdir(exist_ok=True)
            target = folder / artifact.name.removeprefix(BASELINE)
            target.write_bytes((harness.artifacts_dir / artifact.path).read_bytes())
    return result


def pictures(harness: ExecutionHarness, result: TestJobResult) -> set[tuple[str, int | None]]:
    """The pictures of a run with their steps."""
    return {(one.name, one.step_number) for one in harness.artifacts(result.test_run_id)}


async def test_a_baseline_is_written_compared_and_renewed(
    harness: ExecutionHarness, site: Site, case_file: Path
) -> None:
    """As Playwright does: the first run fails and writes it, a difference fails with three pictures."""
    show(site, "teal")
    first = await run(harness, case_file)
    assert (first.error or "").startswith(f"step 2: there is no baseline {FILE}: look at this run's picture")
    assert (await run(harness, case_file)).error is None

    show(site, "teal", "<p style='position: fixed; left: 200px; top: 0; width: 4px; height: 4px; background: red'>")
    assert (await run(harness, case_file)).error is None  # 16 pixels, and 20 may differ

    show(site, "maroon")
    bad = await run(harness, case_file)
    assert bad.error == ("step 2: expected screenshot 'box' in 3000 ms, found 5000 of 921600 pixels differ (0.54%)")
    names = {f"step-002-box-{kind}.png" for kind in ("expected", "actual", "diff")}
    assert {(name, 2) for name in names} <= pictures(harness, bad)

    renewed = await run(harness, case_file, update=True)
    assert renewed.status == "completed"
    assert f"step 2: the baseline {FILE} was renewed" in harness.row(renewed.test_run_id).notes
    assert (await run(harness, case_file)).error is None


async def test_a_page_that_changes_in_time_passes(harness: ExecutionHarness, site: Site, case_file: Path) -> None:
    """The comparison is retried as every check is; a size that differs is named."""
    show(site, "teal")
    await run(harness, case_file)
    show(
        site,
        "red",
        "<script>setTimeout(() => document.querySelector('div').style.background = 'teal', 200)</script>",
    )
    assert (await run(harness, case_file)).error is None
    case_file.write_text(case_file.read_text().replace("page: {screenshot: box}", "css: div, screenshot: box"))
    result = await run(harness, case_file)
    assert (
        result.error
        == "step 2: expected screenshot 'box' in 3000 ms, found a picture of 100x50 px instead of 1280x720 px"
    )


async def test_covered_parts_and_the_opposite(harness: ExecutionHarness, site: Site, case_file: Path) -> None:
    """Masks leave parts out of the comparison; `not` expects a difference."""
    case_file.write_text(case_file.read_text().replace("max_diff_pixels: 20", "mask: [{css: div}]"))
    show(site, "teal")
    await run(harness, case_file)
    show(site, "maroon")
    assert (await run(harness, case_file)).error is None
    case_file.write_text(case_file.read_text().replace("mask:", "not: true, mask:"))
    result = await run(harness, case_file)
    assert (result.error or "").startswith(
        "step 2: expected not screenshot 'box' in 3000 ms, found a picture that is "
    )


def test_baselines_travel_with_the_case(tmp_path: Path) -> None:
    """Those of its screenshots, for every browser and platform; workers need no files."""
    file = tmp_path / "a.yaml"
    folder = baselines_folder(file)
    folder.mkdir()
    for name in ("cart-chromium-linux.png", "cart-webkit-darwin.png", "menu-chromium-linux.png"):
        (folder / name).write_bytes(name.encode())
    document = {"name": "A", "steps": [{"goto": "/"}, {"if": {"screenshot": "cart"}, "then": [{"reload": True}]}]}
    case = with_baselines(Case.model_validate(document, context={"document": True}), file)
    assert case.baseline_pictures == {
        name: name.encode() for name in ("cart-chromium-linux.png", "cart-webkit-darwin.png")
    }


def test_pictures_of_other_files() -> None:
    """A baseline that is broken says what to do."""
    with pytest.raises(Exception, match="the baseline is not a picture: write it anew with --update-screenshots"):
        difference_of(b"a", b"b", 0.2)
