"""Whole runs: what they return, what they write, and what they tell meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from qa_queue.cases.actions import Group, If, Repeat
from qa_queue.cases.checks import ToHaveTitle
from qa_queue.cases.conditions import Condition
from qa_queue.cases.model import Step
from qa_queue.errors import (
    BrowserCrashedError,
    NotFoundError,
    RetryLaterError,
    RunCancelledError,
    StoreError,
)
from qa_queue.models import ErrorKind, JobProgress, RunStatus, StepStatus
from qa_queue.store.memory import MemoryStore
from tests.browser.conftest import closed_port, crashing_page
from tests.browser.test_pool import browser_pid
from tests.support.poll import async_wait_until
from tests.support.running import ExecutionHarness
from tests.support.site import Site
from tests.support.steps import case, expect, goto, on

LOGIN = """<title>Sign in</title><form action="/home" method="post">
<label>Email <input name="email"></label><label>Password <input type="password" name="password"></label>
<button>Sign in</button></form>"""
FAST = {"timeout_ms": 300}


@pytest.fixture
def shop(site: Site) -> Site:
    """A sign-in page and the page behind it."""
    site.page("/login", LOGIN)
    site.page("/home", lambda form: f"<title>Home</title><h1>Welcome {form.get('email', '')}</h1>")
    return site


LOGIN_STEPS = (
    goto("/login"),
    on("fill", {"label": "Email"}, value="ann@example.org"),
    on("fill", {"label": "Password"}, value="open sesame"),
    on("click", {"role": "button", "name": "Sign in"}),
    expect({"role": "heading"}, text="Welcome ann@example.org"),
)


async def test_a_run_that_passes(harness: ExecutionHarness, shop: Site) -> None:
    """Result, run row and step rows agree, in order, with durations and phases."""
    result = await harness.test(case(*LOGIN_STEPS, base_url=shop.url))
    run, steps = harness.row(result.test_run_id), harness.steps(result.test_run_id)
    assert (result.status, result.completed_steps, result.failed_steps, result.error) == ("completed", 5, 0, None)
    assert (run.status, run.worker, run.attempt, run.completed_steps) == (RunStatus.COMPLETED, "worker-1", 1, 5)
    assert run.started_at
    assert run.finished_at
    assert run.running_ms >= sum(s.duration_ms for s in steps) - len(steps)
    assert run.waiting_ms >= 0
    assert run.starting_ms >= 1
    assert [(s.number, s.step_key, s.status) for s in steps][0::4] == [
        (1, "1:goto", StepStatus.PASSED),
        (5, "5:expect", StepStatus.PASSED),
    ]
    assert steps[3].name == "click button 'Sign in'"
    assert steps[3].locator == {"role": "button", "name": "Sign in"}
    assert harness.artifacts(result.test_run_id) == []


async def test_progress_tells_every_step(harness: ExecutionHarness, shop: Site) -> None:
    """Who follows a run hears of its start, each step and its end, when the rows are already there."""
    stored: list[RunStatus] = []
    harness.progress.on_report = lambda report: stored.append(harness.row(report.test_run_id).status)
    await harness.test(case(*LOGIN_STEPS, base_url=shop.url))
    reports = harness.progress.reports
    assert [r.percentage for r in reports] == [0, 20, 40, 60, 80, 100, 100]
    assert [r.current_step for r in reports] == [0, 1, 2, 3, 4, 5, 5]
    assert [r.status for r in reports][-2:] == [RunStatus.RUNNING, RunStatus.COMPLETED]
    assert reports[4].message == "click button 'Sign in': passed"
    assert reports[4].step_data
    assert stored[-1] is RunStatus.COMPLETED


async def test_the_case_can_come_from_the_store(harness: ExecutionHarness, shop: Site) -> None:
    """Without a case in the payload the stored one runs, against the payload's base URL."""
    data = harness.submit(case(goto("/login"), expect(title="Sign in")))
    result = await harness.run(data.model_copy(update={"case": None, "base_url": shop.url}))
    assert result.status == "completed"


async def test_a_case_that_is_nowhere(harness: ExecutionHarness) -> None:
    """The job is refused, and the run says why."""
    data = harness.submit(case(goto("/")))
    with pytest.raises(NotFoundError, match="asks for case nothing, which is not in the store"):
        await harness.run(data.model_copy(update={"case": None, "test_case_id": "nothing"}))
    run = harness.row(data.test_run_id)
    assert (run.status, run.error_kind) == (RunStatus.FAILED, ErrorKind.INPUT)


async def test_values_are_filled_in(harness: ExecutionHarness, site: Site) -> None:
    """Environment and variables reach the page."""
    site.page("/value", "<input id=x>")
    steps = (goto("/value"), on("fill", "#x", value="${var.who}"), expect("#x", value="ann@${env.HOST}"))
    passed = await harness.test(
        case(*steps, base_url="${env.URL}", vars={"who": "ann@${env.HOST}"}), env={"HOST": "h", "URL": site.url}
    )
    assert passed.status == "completed"


async def test_a_missing_secret(harness: ExecutionHarness, site: Site) -> None:
    """A secret that is not set on the worker is named, and no step is begun."""
    result = await harness.test(case(goto("/"), on("fill", "#x", value="${secret.NO_SUCH}"), base_url=site.url))
    assert (result.status, result.error_kind, result.completed_steps) == ("failed", ErrorKind.INPUT, 0)
    assert "set QA_SECRET_NO_SUCH for the workers" in (result.error or "")
    assert harness.row(result.test_run_id).status is RunStatus.FAILED
    assert harness.steps(result.test_run_id) == []


CHECKS = (expect("#x", text="a"), expect("#x", text="a"))
GROUP = Step(args=Group(name="Sign in", steps=CHECKS))
BRANCH = Step(args=If(condition=Condition(check=ToHaveTitle(title="Shop")), then=CHECKS))


@pytest.mark.parametrize(
    ("block", "name", "total", "percentages"),
    [
        (GROUP, "Sign in", 3, [0, 33, 66, 100, 100]),
        (BRANCH, "if page title 'Shop'", None, [None, None, None, None, 100]),
    ],
    ids=["group", "branch"],
)
async def test_steps_in_a_block(
    harness: ExecutionHarness, site: Site, block: Step, name: str, total: int | None, percentages: list[int | None]
) -> None:
    """Rows and progress have positions and names; a total that is not known is shown as unknown until the end."""
    path = site.page("/nested", "<title>Shop</title><p id=x>a</p>")
    outcome = await harness.test(case(goto(path), block, base_url=site.url))
    run, steps = harness.row(outcome.test_run_id), harness.steps(outcome.test_run_id)
    assert [(s.number, s.position, s.parents, s.step_key) for s in steps] == [
        (1, "1", (), "1:goto"),
        (2, "2.1", (name,), "2.1:expect"),
        (3, "2.2", (name,), "2.2:expect"),
    ]
    assert (run.status, run.total_steps, outcome.total_steps) == (RunStatus.COMPLETED, 3, 3)
    reports = harness.progress.reports
    assert [report.percentage for report in reports] == percentages
    assert [report.total_steps for report in reports] == [*[total] * 4, 3]
    assert reports[2].message == f"{name} > expect `#x` text 'a': passed"
    assert [report.step_data and report.step_data.position for report in reports] == [None, "1", "2.1", "2.2", None]


async def test_a_failed_step_ends_the_run(harness: ExecutionHarness, site: Site) -> None:
    """Later steps are skipped, but for those that always run; the error names the step."""
    path = site.page("/fails", "<p id=x>a</p>")
    steps = (
        goto(path),
        on("click", "#gone").model_copy(update=FAST),
        on("click", "#x"),
        on("hover", "#x").model_copy(update={"always_run": True}),
    )
    result = await harness.test(case(*steps, base_url=site.url))
    assert [s.status.value for s in harness.steps(result.test_run_id)] == ["passed", "failed", "skipped", "passed"]
    assert (result.status, result.error_kind) == ("failed", ErrorKind.NOT_FOUND)
    assert result.error == "step 2: `#gone` was not found in 300 ms"
    run = harness.row(result.test_run_id)
    assert (run.status, run.error, run.failed_steps) == (RunStatus.FAILED, result.error, 1)


async def test_soft_and_optional_steps(harness: ExecutionHarness, site: Site) -> None:
    """A soft failure lets the run go on and fails it; an optional one is skipped and costs nothing."""
    path = site.page("/soft", "<p id=x>a</p>")
    miss = on("click", "#gone")
    optional = miss.model_copy(update=FAST | {"optional": True})
    good = await harness.test(case(goto(path), optional, expect("#x", text="a"), base_url=site.url))
    soft = expect("#x", text="b").model_copy(update=FAST | {"soft": True})
    bad = await harness.test(case(goto(path), soft, expect("#x", text="a"), base_url=site.url))
    assert (good.status, good.completed_steps, good.failed_steps) == ("completed", 2, 0)
    skipped = harness.steps(good.test_run_id)[1]
    assert (skipped.status, skipped.error_kind) == (StepStatus.SKIPPED, ErrorKind.NOT_FOUND)
    assert (bad.status, bad.completed_steps, bad.failed_steps) == ("failed", 2, 1)


async def test_an_adapted_run(harness: ExecutionHarness, site: Site) -> None:
    """A fallback that found the element is an adaptation, in result, rows and counts."""
    path = site.page("/adapted", "<button id=x>Go</button>")
    click = on("click", {"css": "#old", "fallbacks": [{"css": "#x"}]}).model_copy(update={"timeout_ms": 2000})
    result = await harness.test(case(goto(path), click, base_url=site.url))
    row, steps = harness.row(result.test_run_id), harness.steps(result.test_run_id)
    assert (result.status, row.status, row.adapted_steps) == ("adapted", RunStatus.ADAPTED, 1)
    assert [(a.step_number, a.reason, a.old, a.new) for a in result.adaptations] == [
        (2, "fallback", {"css": "#old"}, {"css": "#x"})
    ]
    (adaptation,) = harness.store.list_adaptations([result.test_run_id])
    assert (adaptation.step_key, adaptation.new_target) == ("2:click", {"css": "#x"})
    assert (steps[1].status, steps[1].locator) == (StepStatus.ADAPTED, {"css": "#x"})
    assert steps[1].matches == [
        {"locator": {"css": "#old"}, "count": 0, "same": False},
        {"locator": {"css": "#x"}, "count": 1, "same": True},
    ]


async def test_too_many_adaptations_fail_the_run(harness: ExecutionHarness, site: Site) -> None:
    """More adapted steps than allowed are a failure that says so."""
    path = site.page("/redesign", "<button id=x>Go</button>")
    click = on("click", {"css": "#old", "fallbacks": [{"css": "#x"}]}).model_copy(update={"timeout_ms": 2000})
    result = await harness.test(case(goto(path), click, base_url=site.url), max_adaptations=0)
    assert result.status == "failed"
    assert "1 steps found their element only by a fallback or a heal; 0 may" in (result.error or "")


async def test_a_pass_on_a_retry_is_flaky(harness: ExecutionHarness, site: Site) -> None:
    """The second try passes: rows of both tries are kept, and the run is flaky."""
    visits = iter(range(1, 10))
    path = site.page("/flaky", lambda _: f"<p id=x>{next(visits)}</p>")
    steps = (goto(path), expect("#x", text="2").model_copy(update=FAST))
    result = await harness.test(case(*steps, base_url=site.url, retries=2))
    run = harness.row(result.test_run_id)
    assert (result.status, result.flaky, run.flaky, run.attempt) == ("completed", True, True, 2)
    assert [(s.attempt, s.status.value) for s in harness.steps(result.test_run_id)] == [
        (1, "passed"),
        (1, "failed"),
        (2, "passed"),
        (2, "passed"),
    ]
    assert any(report.message.startswith("retry 1 of 2 after: step 2") for report in harness.progress.reports)


async def test_an_isolated_retry_is_another_execution_of_the_job(harness: ExecutionHarness, site: Site) -> None:
    """Each execution has one try; the run is queued in between, and flaky after a pass. The last try is final."""
    visits = itertools.count(1)
    path = site.page("/isolated", lambda _: f"<p id=x>{next(visits)}</p>")
    wrong = expect("#x", text="2").model_copy(update={"timeout_ms": 300})
    data = harness.submit(case(goto(path), wrong, base_url=site.url, retries=2, retry_strategy="isolated"))
    with pytest.raises(RetryLaterError, match="step 2: expected text '2', found '1'"):
        await harness.run(data, can_defer=True)
    harness.writer.flush(5)
    queued = harness.row(data.test_run_id)
    assert (queued.status, queued.attempt, harness.progress.reports[-1].status) == (
        RunStatus.QUEUED,
        1,
        RunStatus.QUEUED,
    )
    passed = await harness.run(data, can_defer=True, attempt=2, deferrals=1)
    run = harness.row(data.test_run_id)
    assert (passed.status, run.status, run.flaky, run.attempt, run.error) == (
        "completed",
        RunStatus.COMPLETED,
        True,
        2,
        None,
    )
    assert {row.attempt for row in harness.steps(run.id)} == {1, 2}
    last = harness.submit(case(goto(path), wrong, base_url=site.url, retries=2, retry_strategy="isolated"))
    assert (await harness.run(last, can_defer=True, attempt=3, deferrals=2)).status == "failed"


async def test_retries_that_do_not_help(harness: ExecutionHarness, site: Site) -> None:
    """A run that fails on every try failed; later jobs' attempts count on."""
    path = site.page("/broken", "<p id=x>a</p>")
    steps = (goto(path), expect("#x", text="b").model_copy(update=FAST))
    data = harness.submit(case(*steps, base_url=site.url, retries=1))
    result = await harness.run(data, attempt=2, max_attempts=3)
    assert (result.status, result.flaky) == ("failed", False)
    assert sorted({s.attempt for s in harness.steps(result.test_run_id)}) == [3, 4]


async def test_the_site_is_down(harness: ExecutionHarness) -> None:
    """A site that does not answer fails the run, not the job."""
    result = await harness.test(case(goto("/"), base_url=f"http://127.0.0.1:{closed_port()}"))
    assert (result.status, result.error_kind) == ("failed", ErrorKind.NAVIGATION)


async def test_a_page_that_crashes(harness: ExecutionHarness, site: Site) -> None:
    """A page crash fails the run, not the job, and the browser lives on."""
    result = await harness.test(case(goto(crashing_page(site)), base_url=site.url))
    assert (result.status, result.error_kind) == ("failed", ErrorKind.PAGE_CRASH)


async def test_the_run_times_out(harness: ExecutionHarness, site: Site) -> None:
    """The run's time ends it in mid-step: the row says timed_out, the result failed."""
    path = site.page("/waits", "<p>")
    steps = (goto(path), on("click", "#gone").model_copy(update={"timeout_ms": 60_000}), goto(path))
    result = await harness.test(case(*steps, base_url=site.url), timeout=800)
    run, rows = harness.row(result.test_run_id), harness.steps(result.test_run_id)
    assert (result.status, result.error_kind) == ("failed", ErrorKind.TIMEOUT)
    assert (run.status, run.error_kind) == (RunStatus.TIMED_OUT, ErrorKind.TIMEOUT)
    assert [s.status.value for s in rows] == ["passed", "failed", "skipped"]
    assert (rows[1].error_kind, rows[1].error) == (ErrorKind.TIMEOUT, "the run's time was up during this step")


async def test_a_run_is_cancelled_in_mid_step(harness: ExecutionHarness, site: Site) -> None:
    """A step that would wait for a minute is left; the row says cancelled, and the context is gone."""
    path = site.page("/cancel", "<p>")
    steps = (goto(path), on("click", "#gone").model_copy(update={"timeout_ms": 60_000}), goto(path))
    data = harness.submit(case(*steps, base_url=site.url))

    def cancel_after_first_step(report: JobProgress) -> None:
        if report.current_step == 1:
            harness.cancels.runs.add(data.test_run_id)

    harness.progress.on_report = cancel_after_first_step
    await harness.browser.start()
    browser = next(iter(harness.browser._browsers.values()))
    before = browser.contexts  # another test's page may have hung
    with pytest.raises(RunCancelledError):
        await asyncio.wait_for(harness.run(data), timeout=30)
    run, rows = harness.row(data.test_run_id), harness.steps(data.test_run_id)
    assert (run.status, run.error_kind) == (RunStatus.CANCELLED, ErrorKind.CANCELLED)
    assert [s.status.value for s in rows] == ["passed", "failed", "skipped"]
    assert rows[1].error_kind is ErrorKind.CANCELLED
    await async_wait_until(lambda: all(one in before for one in browser.contexts))
    assert harness.progress.reports[-1].status is RunStatus.CANCELLED


async def test_a_run_that_was_cancelled_before_it_began(harness: ExecutionHarness, site: Site) -> None:
    """No step is done."""
    data = harness.submit(case(goto("/"), base_url=site.url))
    harness.cancels.runs.add(data.test_run_id)
    with pytest.raises(RunCancelledError):
        await harness.run(data)
    assert harness.row(data.test_run_id).status is RunStatus.CANCELLED
    assert harness.steps(data.test_run_id) == []


@pytest.mark.parametrize(("attempt", "status"), [(1, RunStatus.QUEUED), (2, RunStatus.DEAD)])
async def test_the_browser_is_killed(
    harness: ExecutionHarness, site: Site, attempt: int, status: RunStatus
) -> None:
    """The job fails; the run waits for its next attempt, or is dead after the last. The next run has a browser."""
    path = site.page("/kill", "<p>")
    steps = (goto(path), on("click", "#gone").model_copy(update={"timeout_ms": 60_000}))
    data = harness.submit(case(*steps, base_url=site.url))
    pid = await browser_pid(harness.browser)
    harness.progress.on_report = lambda report: os.kill(pid, signal.SIGKILL) if report.current_step == 1 else None
    with pytest.raises(BrowserCrashedError):
        await harness.run(data, attempt=attempt, max_attempts=2)
    run, rows = harness.row(data.test_run_id), harness.steps(data.test_run_id)
    assert (run.status, run.error_kind) == (status, ErrorKind.INFRASTRUCTURE)
    assert "the browser died" in (run.error or "")
    assert [s.error_kind for s in rows] == [None, ErrorKind.INFRASTRUCTURE]
    harness.progress.on_report = lambda _: None
    assert (await harness.test(case(goto(path), base_url=site.url))).status == "completed"


async def test_the_store_fails(harness: ExecutionHarness, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that cannot be stored fail the job, so that it is tried again."""
    path = site.page("/unstored", "<p>")
    data = harness.submit(case(goto(path), base_url=site.url))

    def refuse(self: MemoryStore, records: Any) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(MemoryStore, "save", refuse)
    with pytest.raises(StoreError, match="disk full"):
        await harness.run(data)


async def test_config_wins_over_the_case(harness: ExecutionHarness, site: Site) -> None:
    """Viewport of the job's configuration is the page's."""
    path = site.page("/size", "<p id=x></p><script>x.textContent = innerWidth</script>")
    result = await harness.test(
        case(goto(path), expect("#x", text="640"), base_url=site.url), viewport={"width": 640}
    )
    assert result.status == "completed"


async def test_a_window_needs_a_browser_that_has_one(
    harness: ExecutionHarness, site: Site, browser_path: Path
) -> None:
    """`headless: false` on a headless shell is refused with what to do."""
    if "headless" not in browser_path.name:
        pytest.skip("this browser has windows")
    result = await harness.test(case(goto("/"), base_url=site.url), headless=False)
    assert (result.status, result.error_kind) == ("failed", ErrorKind.INPUT)
    assert "headless: false needs a full Chrome or Chromium" in (result.error or "")


async def test_a_run_id_cannot_leave_the_artifacts_folder(harness: ExecutionHarness, site: Site) -> None:
    """An id that is a path is refused."""
    data = harness.submit(case(goto("/"), base_url=site.url)).model_copy(update={"test_run_id": "../../etc"})
    result = await harness.run(data)
    assert (result.status, result.error_kind) == ("failed", ErrorKind.INPUT)


async def test_runs_at_once_do_not_mix(harness: ExecutionHarness, site: Site) -> None:
    """Runs on one browser at the same time each keep their own rows."""
    paths = [site.page(f"/at-once-{n}", f"<p id=x>{n}</p>") for n in range(4)]
    cases = [
        case(goto(path), expect("#x", text=str(n)), base_url=site.url, name=f"Case {n}")
        for n, path in enumerate(paths)
    ]
    results = await asyncio.gather(*(harness.test(one) for one in cases))
    assert [(r.status, len(harness.steps(r.test_run_id))) for r in results] == [("completed", 2)] * 4


NOISE = """<p id=x>a</p><canvas id=c width=1200 height=700></canvas><script>
const c = document.getElementById("c").getContext("2d"), i = c.createImageData(1200, 700);
for (let n = 0; n < i.data.length; n++) i.data[n] = Math.random() * 256;
c.putImageData(i, 0, 0)</script>"""


NOISY = (goto("/noisy"), expect("#x", text="a").model_copy(update={"screenshot": True}), expect("#x", text="a"))
LOOP = Step(args=Repeat(times=3, steps=(expect("#x", text="a"),)))


@pytest.mark.parametrize(
    ("steps", "limits", "kind", "message"),
    [
        (NOISY, {"qa_run_steps": 2}, ErrorKind.INPUT, "has executed 2 steps, which is the most (QA_RUN_STEPS)"),
        (
            (goto("/calm"), LOOP),
            {"qa_run_passes": 2},
            ErrorKind.INPUT,
            "the loops of the run have made 2 passes, which is the most (QA_RUN_PASSES)",
        ),
        (
            NOISY,
            {"qa_run_artifacts_mb": 1},
            ErrorKind.PAGE_FLOOD,
            "more than 1 MiB of files, the most of a try (QA_RUN_ARTIFACTS_MB)",
        ),
        (
            (goto("/large"),),  # its HAR is written at the end of the run, which has passed until then
            {"qa_run_artifacts_mb": 1},
            ErrorKind.PAGE_FLOOD,
            "more than 1 MiB of files, the most of a try (QA_RUN_ARTIFACTS_MB)",
        ),
        (
            NOISY,
            {"qa_run_seconds": 59},
            ErrorKind.INPUT,
            "a timeout of 60 s, and a run may take 59 s (QA_RUN_SECONDS)",
        ),
    ],
)
async def test_a_run_that_exceeds_a_limit_fails_alone(
    harness: ExecutionHarness,
    site: Site,
    steps: tuple[Step, ...],
    limits: dict[str, int],
    kind: ErrorKind,
    message: str,
) -> None:
    """With the name of its setting; a run beside it, on the same browser, passes."""
    site.page("/noisy", NOISE)
    site.page("/calm", "<p id=x>a</p>")
    site.page("/large", "<p id=x>a</p><!--" + "x" * (2 << 20))
    greedy = case(*steps, base_url=site.url, har="on" if len(steps) == 1 else "off")
    modest = case(goto("/calm"), expect("#x", text="a"), base_url=site.url, timeout="20s")
    harness.limits = limits
    failed, passed = await asyncio.gather(harness.test(greedy), harness.test(modest))
    assert (failed.status, failed.error_kind) == ("failed", kind)
    assert message in str(failed.error)
    assert passed.status == "completed"


async def test_a_run_has_its_traffic_and_its_trace(harness: ExecutionHarness, site: Site) -> None:
    """The traffic of all tries; the trace where the case asks for it, and none otherwise."""
    path = site.page("/traffic", "<p id=x>" + "y" * 5_000)
    steps = (goto(path), expect("#x", text="z").model_copy(update=FAST))
    traced = await harness.test(case(*steps, base_url=site.url, retries=1, use={"network": {"trace": True}}))
    plain = await harness.test(case(goto(path), base_url=site.url))
    row, other = harness.row(traced.test_run_id), harness.row(plain.test_run_id)
    assert row.trace_id == row.id.replace("-", "")
    assert f"its requests to the site are in the trace {row.trace_id}" in row.notes[-1]
    assert other.trace_id is None
    assert other.network is not None
    assert other.network["received"] > 5_000
    assert row.network is not None
    assert row.network["received"] > 10_000
    assert row.network["requests"] >= 2
    assert row.network["sent"] > 0
