"""Runs of pytest tests: their statuses, rows, texts and files, with real pytest in real processes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import psutil
import pytest

from processors.suites.pool import HostPool
from qa_queue.errors import RunCancelledError
from qa_queue.models import ArtifactKind, ErrorKind, RunStatus, StepStatus, utc_now
from qa_queue.reports.collect import report_of_runs
from qa_queue.reports.render import Format, render
from qa_queue.reports.rows import EvidencePlace
from qa_queue.store.artifacts import ArtifactFiles, FolderStore
from qa_queue.store.artifacts.uploads import UploadQueue
from tests.integration.suites.conftest import Make
from tests.support.leaks import codings, contents, everything
from tests.support.poll import async_wait_until
from tests.support.running import ExecutionHarness


async def test_a_test_that_passes_has_a_row_for_each_phase(harness: ExecutionHarness, suite_case: Make) -> None:
    """And its named steps within them."""
    code = "import qa_queue\ndef test_ok():\n    with qa_queue.step('Sign in'): print('hello')\n"
    result = await harness.test(suite_case(code, "test_ok"))
    run, steps = harness.row(result.test_run_id), harness.steps(result.test_run_id)
    assert (run.status, run.attempt, run.completed_steps, run.error) == (RunStatus.COMPLETED, 1, 4, None)
    assert [(step.position, step.action, step.name, step.status) for step in steps] == [
        ("1", "pytest.setup", "setup", StepStatus.PASSED),
        ("2", "pytest.call", "call", StepStatus.PASSED),
        ("2.1", "pytest.step", "Sign in", StepStatus.PASSED),
        ("3", "pytest.teardown", "teardown", StepStatus.PASSED),
    ]
    assert console(harness, result.test_run_id) == {"Captured stdout call": "hello\n"}


def console(harness: ExecutionHarness, run_id: str) -> dict[str, str]:
    """Return the texts of a run by title."""
    (artifact,) = harness.artifacts(run_id, ArtifactKind.CONSOLE)
    lines = (harness.artifacts_dir / artifact.path).read_text().splitlines()
    return {entry["title"]: entry["text"] for entry in map(json.loads, lines)}


@pytest.mark.parametrize(
    ("code", "status", "kind", "error"),
    [
        ("def test_it(): assert 1 == 2", RunStatus.FAILED, ErrorKind.ASSERTION, "assert 1 == 2"),
        (
            "import pytest\n@pytest.fixture\ndef shop(): raise OSError('closed')\ndef test_it(shop): pass",
            RunStatus.FAILED,
            ErrorKind.FIXTURE,
            "OSError: closed",
        ),
        (
            "import pytest\n@pytest.fixture\ndef shop():\n    yield\n    raise OSError('open')\n"
            "def test_it(shop): pass",
            RunStatus.FAILED,
            ErrorKind.FIXTURE,
            "OSError: open",
        ),
        (
            "import pytest\n@pytest.mark.skip(reason='later')\ndef test_it(): pass",
            RunStatus.COMPLETED,
            None,
            "skipped: later",
        ),
        (
            "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_it(): assert 0",
            RunStatus.COMPLETED,
            None,
            "expected failure: known",
        ),
        (
            "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_it(): pass",
            RunStatus.FAILED,
            ErrorKind.ASSERTION,
            "[XPASS(strict)]",
        ),
        (
            "import os\ndef test_it(): os._exit(7)",
            RunStatus.FAILED,
            ErrorKind.PROCESS_CRASH,
            "The test's process ended with exit code 7.",
        ),
        (
            "import os, signal\ndef test_it(): os.kill(os.getpid(), signal.SIGSEGV)",
            RunStatus.FAILED,
            ErrorKind.PROCESS_CRASH,
            "The test's process was ended by SIGSEGV.",
        ),
    ],
)
async def test_a_run_ends_as_pytest_counts_it(
    harness: ExecutionHarness,
    suite_case: Make,
    code: str,
    status: RunStatus,
    kind: ErrorKind | None,
    error: str,
) -> None:
    """Each of a failed assertion, a broken fixture, a skip and a dead process has a result of its own."""
    result = await harness.test(suite_case(code, "test_it"))
    run = harness.row(result.test_run_id)
    assert (run.status, run.error_kind) == (status, kind)
    assert (run.error or "").partition("\n")[0].endswith(error)
    label = error.partition(":")[0] if status is RunStatus.COMPLETED else "failed"
    assert (run.label, harness.progress.reports[-1].label) == (label, label)


async def test_tests_of_one_run_stand_under_their_names_and_a_dead_one_leaves_the_others(
    harness: ExecutionHarness, suite_case: Make
) -> None:
    """The tests after it run in a new process."""
    code = "import os\ndef test_a(): pass\ndef test_b(): os._exit(1)\ndef test_c(): pass\n"
    result = await harness.test(suite_case(code))
    steps = harness.steps(result.test_run_id)
    assert (result.status, result.error_kind) == ("failed", ErrorKind.PROCESS_CRASH)
    assert (result.error or "").startswith(
        "1 of 3 tests failed; test_b: The test's process ended with exit code 1."
    )
    assert [(step.position, step.parents[0].partition("::")[2], step.name) for step in steps if step.error] == [
        ("2.2", "test_b", "call")
    ]
    assert [step.position for step in steps] == ["1.1", "1.2", "1.3", "2.1", "2.2", "3.1", "3.2", "3.3"]


async def test_a_retry_that_passes_is_flaky(harness: ExecutionHarness, suite_case: Make) -> None:
    """Rows of both attempts are kept."""
    code = (
        "import pathlib\ndef test_it():\n    seen = pathlib.Path('seen')\n"
        "    if not seen.exists():\n        seen.touch()\n        assert False"
    )
    result = await harness.test(suite_case(code, "test_it", retries=1))
    assert (result.status, result.flaky) == ("completed", True)
    assert [step.attempt for step in harness.steps(result.test_run_id)] == [1, 1, 1, 2, 2, 2]


async def test_a_test_that_hangs_is_ended_with_its_process(
    harness: ExecutionHarness, suite_case: Make, hosts: HostPool
) -> None:
    """The next test gets a new one."""
    code = "import time\ndef test_hangs(): time.sleep(600)\ndef test_ok(): pass\n"
    result = await harness.test(suite_case(code, "test_hangs", timeout_ms=1_500))
    run = harness.row(result.test_run_id)
    assert run.status is RunStatus.TIMED_OUT
    error, _, stack = (run.error or "").partition("; it was at\n")
    assert error == "the run exceeded its time of 1.5 s while test_hangs ran"
    assert "in test_hangs" in stack
    setup, call = harness.steps(result.test_run_id)
    assert (setup.status, call.status, call.error_kind) == ("passed", "failed", ErrorKind.TIMEOUT)
    assert call.error == f"it had not ended when the run had run for 1.5 s; it was at\n{stack}"
    assert (await harness.test(suite_case(code, "test_ok"))).status == "completed"


async def test_a_suite_has_no_more_time_than_the_operator_allows(
    harness: ExecutionHarness, suite_case: Make
) -> None:
    """The five minutes of each test are a default, not a wish of the user."""
    harness.limits["qa_run_seconds"] = 1
    result = await harness.test(
        suite_case("import time\ndef test_it(): time.sleep(300)\n", "test_it", timeout_ms=300_000)
    )
    assert harness.row(result.test_run_id).status is RunStatus.TIMED_OUT
    assert "exceeded its time of 1 s" in (result.error or "")


async def test_cancelling_ends_the_process_of_the_test(harness: ExecutionHarness, suite_case: Make) -> None:
    """Together with what the test started."""
    code = (
        "import pathlib, subprocess, time\ndef test_hangs():\n"
        "    child = subprocess.Popen(['sleep', '600'])\n"
        "    pathlib.Path('pid.new').write_text(str(child.pid))\n    pathlib.Path('pid.new').rename('pid')\n"
        "    time.sleep(600)\n"
    )
    case = suite_case(code, "test_hangs")
    data = harness.submit(case)
    running = asyncio.create_task(harness.run(data))
    assert case.pytest is not None
    pid = harness.artifacts_dir.parent / "suite" / "pid"
    await async_wait_until(pid.exists)
    child = psutil.Process(int(pid.read_text()))
    harness.cancels.runs.add(data.test_run_id)
    with pytest.raises(RunCancelledError):
        await running
    await async_wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    assert harness.row(data.test_run_id).status is RunStatus.CANCELLED


async def test_a_test_that_takes_too_much_memory_is_ended(suite_case: Make, harness: ExecutionHarness) -> None:
    """At twice the memory at which a process is renewed."""
    small = HostPool(memory_bytes=100 << 20)
    harness.hosts = small
    code = "import time\ndef test_it():\n    kept = bytearray(400 << 20)\n    time.sleep(600)\n"
    result = await harness.test(suite_case(code, "test_it"))
    await small.close()
    assert result.error_kind is ErrorKind.PROCESS_CRASH
    assert "was ended at 200 MiB of memory (QA_SUITE_MEMORY_MB)" in (result.error or "")


async def test_a_test_that_is_not_there_is_bad_input(harness: ExecutionHarness, suite_case: Make) -> None:
    """As another attempt would not help."""
    result = await harness.test(suite_case("def test_it(): pass", "test_gone"))
    assert (result.status, result.error_kind) == ("failed", ErrorKind.INPUT)
    assert "pytest finds no test test_it.py::test_gone" in (result.error or "")


async def test_secrets_are_in_the_test_and_in_nothing_that_it_leaves(
    harness: ExecutionHarness, suite_case: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither those of the worker that it was given, nor values of variables with such names."""
    monkeypatch.setenv("QA_SECRET_LOGIN", "open-sesame-1")
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "service-key-1")
    code = (
        "import os\ndef test_it():\n    assert 'SUPABASE_SECRET_KEY' not in os.environ\n"
        "    assert not [name for name in os.environ if name.startswith(('QA_SECRET', 'REDIS', 'SUPABASE'))]\n"
        "    print(os.environ['LOGIN'], os.environ['API_TOKEN'])\n"
        "    assert os.environ['LOGIN'] == os.environ['API_TOKEN']\n"
    )
    case = suite_case(code, "test_it", env={"LOGIN": "${secret.LOGIN}", "API_TOKEN": "${env.API_TOKEN}"})
    data = harness.submit(case).model_copy(update={"env": {"API_TOKEN": "token-of-ann"}, "trusted": True})
    result = await harness.run(data)
    run_id = result.test_run_id
    written = [path.read_bytes() for path in harness.artifacts_dir.rglob("*") if path.is_file()]
    rows = [str(harness.row(run_id)), *map(str, harness.steps(run_id)), *map(str, harness.progress.reports)]
    assert result.error_kind is ErrorKind.ASSERTION
    assert "LOGIN" in str(written)
    for secret in ("open-sesame-1", "token-of-ann", "service-key-1"):
        assert not [one for one in (*rows, str(result)) if secret in one]
        assert not [one for one in written if secret.encode() in one]


SECRET = 'p&ss "wörd"/+<42>'
LEAKS = """import html, json, os, pathlib
import qa_queue

def test_it(page):
    secret = os.environ["LOGIN"]
    page.route("**/*", lambda route: route.fulfill(body="<p>" + html.escape(secret)))
    page.goto("http://shop.test/")
    page.set_content("<title>Shop</title><label>Name<input></label><p id=x>" + html.escape(secret) + "</p>")
    page.get_by_label("Name").fill(secret)
    page.evaluate("value => console.log(value)", secret)
    folder = pathlib.Path(os.environ["QA_SUITE_OUTPUT"])
    folder.mkdir(exist_ok=True)
    (folder / "cut.har").write_text(json.dumps({"log": {"entries": [{"url": secret}]}})[:-3])
    (folder / "broken.zip").write_text("no archive: " + secret)
    assert page.locator("#x").inner_text(timeout=1000) == "other"
"""


async def test_a_secret_is_in_no_byte_of_the_evidence_of_a_suite(
    harness: ExecutionHarness, suite_case: Make, monkeypatch: pytest.MonkeyPatch, browser_path: Path, tmp_path: Path
) -> None:
    """In trace, traffic and texts, with archives opened; a HAR file that is cut off is masked too.

    Nor in the locals of the traceback, the reports in every format, and the copies in the artifact store. What
    cannot be searched is not stored, and the run says so. The report has Playwright's calls as steps of the call,
    and the page at the failure.
    """
    share = tmp_path / "share"
    share.mkdir()
    harness.uploads = UploadQueue(harness.artifacts_dir, tmp_path / "pending", FolderStore(share), limit=1 << 30)
    (tmp_path / "pending").mkdir()
    monkeypatch.setenv("QA_SECRET_LOGIN", SECRET)
    harness.browser_path = browser_path
    modes = {"trace": "on-failure", "har": "on", "screenshots": "off"}
    given = {"arguments": ("--showlocals",), "plugins": ("playwright", "base_url"), **modes}
    case = suite_case(LEAKS, "test_it", env={"LOGIN": "${secret.LOGIN}"}, **given)
    result = await harness.run(harness.submit(case).model_copy(update={"trusted": True}))
    left = list(everything(harness, result))
    names = {name for name, _ in left}
    assert {"trace.zip!trace.trace", "cut.har", "network.har", "console.jsonl"} <= names
    assert not [name for name in names if name.endswith(("png", "broken.zip"))]
    assert b"http://shop.test/" in dict(left)["network.har"]
    assert b"folder     = " in dict(left)["console.jsonl"], "locals are printed"
    run, place = harness.row(result.test_run_id), EvidencePlace(files=ArtifactFiles(harness.artifacts_dir))
    report = report_of_runs(harness.store, place, [run], kind="run", id_=run.id, now=utc_now())
    formats = (one for one in Format if one is not Format.ALLURE)
    left += [(f"report as {one}", render(report, one).encode()) for one in formats]
    assert harness.uploads.drain() is None
    stored = [(f"stored {name}", data) for name, data in contents(share)]
    assert "stored trace.zip!trace.trace" in dict(stored)
    for form in codings(SECRET):
        assert [name for name, data in [*left, *stored] if form in data] == [], form
    assert "broken.zip was not stored" in (run.error or "")
    (test,) = report.tests
    calls = [step.name for step in test.attempts[0].steps if step.position.startswith("2.t")]
    wanted = ["goto", "set_content", "fill", "evaluate_expression", "inner_text", "aria_snapshot"]
    calls = [name for name in calls if not name.lower().startswith(("route", "fulfill"))]
    assert [name.split(" ")[0] for name in calls] == wanted
    assert 'get_by_label("Name")' in calls[2]
    assert "- textbox" in (test.attempts[0].snapshot or "")


FILM = """import os, pathlib
def test_it():
    folder = pathlib.Path(os.environ["QA_SUITE_OUTPUT"])
    folder.mkdir(exist_ok=True)
    (folder / "video.webm").write_bytes(b"film")
"""


@pytest.mark.parametrize(
    ("env", "stored"),
    [({}, ["video.webm"]), ({"USER_NAME": "${secret.LOGIN}"}, []), ({"PASSWORD": "${env.PASSWORD}"}, [])],
    ids=["none", "a secret", "a sensitive variable"],
)
async def test_a_video_is_stored_unless_the_suite_was_given_a_secret(
    harness: ExecutionHarness,
    suite_case: Make,
    monkeypatch: pytest.MonkeyPatch,
    env: dict[str, str],
    stored: list[str],
) -> None:
    """Whether the run or the suite itself asked for it. The other secrets of the worker do not count."""
    monkeypatch.setenv("QA_SECRET_LOGIN", "open-sesame-1")
    data = harness.submit(suite_case(FILM, "test_it", env=env))
    result = await harness.run(data.model_copy(update={"env": {"PASSWORD": "token-of-ann"}, "trusted": True}))
    assert [one.name for one in harness.artifacts(result.test_run_id, ArtifactKind.VIDEO)] == stored
    assert ("cannot be searched for the secrets" in (result.error or "")) is (not stored)


async def test_a_video_of_a_suite_is_kept_or_the_missing_program_is_named(
    harness: ExecutionHarness, suite_case: Make, browser_path: Path
) -> None:
    """Not every machine has an ffmpeg."""
    harness.browser_path = browser_path
    case = suite_case(
        "def test_it(page): page.set_content('a')", "test_it", plugins=("playwright", "base_url"), video="on"
    )
    result = await harness.test(case)
    videos = harness.artifacts(result.test_run_id, ArtifactKind.VIDEO)
    if result.error is None:
        assert [video.name for video in videos] == ["video.webm"]
    else:
        assert (result.error_kind, videos) == (ErrorKind.FIXTURE, [])
        assert "playwright install ffmpeg" in str(console(harness, result.test_run_id))
