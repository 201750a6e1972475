"""The example suite: the same outcomes with plain pytest and with the queue, whatever happens to its workers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qa_queue.models import RunStatus
from qa_queue.store.supabase import SupabaseStore
from tests.support.poll import wait_until
from tests.support.processes import command_of, gone
from tests.support.program import Program
from tests.support.pytest_arguments import without_plugins
from tests.support.workers import WorkerProcess

ROOT = Path(__file__).resolve().parents[2]
UNUSED = without_plugins(keep=("playwright", "base_url"))
NO_BROWSER = without_plugins()  # for suites of our own
KILLED = "stability/test_stability.py::test_ends_its_process"


def copied_suite(folder: Path) -> Path:
    """Copy the example suite into this folder and return the copy."""
    copied: Path = shutil.copytree(
        ROOT / "examples" / "suite", folder / "suite", ignore=shutil.ignore_patterns("__pycache__")
    )
    return copied


@pytest.fixture
def suite(program: Program) -> Program:
    """The program in the folder of a copy of the example suite."""
    return Program(copied_suite(program.folder), program.settings)


@pytest.fixture
def own_suite(program: Program) -> Program:
    """The program in the folder of a suite to which a test adds its files; it needs no browser."""
    folder = program.folder / "suite"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    smoke: the shortest way\n")
    return Program(folder, program.settings)


def outcomes_of(report: Path) -> dict[str, str]:
    """Return the outcome of each test of a JSON report."""
    tests = json.loads(report.read_text())["tests"]
    return {f"{test['suite']} {test['name']}": test["outcome"] for test in tests}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, shop: str, browser_path: Path) -> dict[str, str]:
    """The outcomes without the queue; the test that kills its process would take the others with it."""
    suite = Program(copied_suite(tmp_path_factory.mktemp("plain")))
    report = suite.folder.parent / "plain.json"
    command = [sys.executable, "-m", "pytest", "-q", *UNUSED, "-p", "tests.support.suite_chromium"]
    options = [f"--base-url={shop}", "--state=plain", f"--deselect={KILLED}", f"--qa-report={report}"]
    environment = suite.environment(QA_SUITE_CHROMIUM=str(browser_path), PYTHONPATH=str(ROOT))
    subprocess.run([*command, *options], cwd=suite.folder, env=environment, check=False, timeout=600)
    return outcomes_of(report)


def on_the_queue(suite: Program, shop: str, state: str, *options: str) -> dict[str, str]:
    """Run the suite on the queue and return the outcomes of its batch."""
    ended = suite(
        "run", ".", f"--base-url={shop}", "--wait", *options, "--", *UNUSED, f"--state={state}", timeout=600
    )
    assert ended.code == 1, ended.out + ended.err
    batch = suite("batch", "list", "--json").json["batches"][0]["id"]
    report = suite.folder.parent / f"{state}.json"
    assert suite("report", batch, "--json", "-o", report).code == 0
    return outcomes_of(report)


@contextmanager
def suite_worker(suite: Program, folder: Path, name: str = "worker", **settings: str) -> Iterator[WorkerProcess]:
    """A worker that runs the product's processors."""
    own = {"QA_RUNTIME": "processors.entry:Runtime"}
    with WorkerProcess(folder / f"{name}.log", **suite.settings, **own, **settings) as process:
        process.says("serves test-execution", timeout=60)
        yield process


@pytest.mark.parametrize("concurrency", ["1", "4"])
def test_the_queue_gives_every_test_the_outcome_of_plain_pytest(
    suite: Program, shop: str, plain: dict[str, str], tmp_path: Path, concurrency: str
) -> None:
    """Parametrized ones, page objects, module fixtures, skips, expected failures and errors of fixtures."""
    assert len(plain) == 16
    assert set(plain.values()) == {"passed", "failed", "error", "skipped", "expected_failure"}
    killed = {"stability/test_stability.py test_ends_its_process": "failed"}
    with suite_worker(suite, tmp_path, QUEUE_CONCURRENCY=concurrency):
        assert on_the_queue(suite, shop, "queue") == plain | killed


SLOW = "import time, pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_slow(n): time.sleep(1)\n"


def test_a_worker_that_is_killed_loses_no_test_and_repeats_none_that_has_ended(
    own_suite: Program, tmp_path: Path, store: SupabaseStore
) -> None:
    """Its tests go to another worker; each ends once, and no process of the killed one stays."""
    (own_suite.folder / "test_slow.py").write_text(SLOW)
    fast = {"QUEUE_CONCURRENCY": "2", "QUEUE_SHUTDOWN_GRACE": "1"}
    with suite_worker(own_suite, tmp_path, "first", **fast) as first:
        submitted = own_suite("run", "test_slow.py", "--json", "--", *NO_BROWSER).json
        run_ids = [run["run_id"] for run in submitted["runs"]]
        wait_until(lambda: any(ended(store, run_id) for run_id in run_ids), timeout=60)
        before = {run_id: store.get_run(run_id) for run_id in run_ids if ended(store, run_id)}
        hosts = [one for one in first.family() if any("host.py" in word for word in command_of(one))]
        first.kill()
        wait_until(lambda: gone(hosts), timeout=30)
    assert hosts
    with suite_worker(own_suite, tmp_path, "second", **fast):
        wait_until(lambda: all(ended(store, run_id) for run_id in run_ids), timeout=120)
    assert len(run_ids) == len(store.list_runs(batch_id=submitted["batch_id"])) == 6
    runs = [store.get_run(run_id) for run_id in run_ids]
    assert [run.status for run in runs if run] == [RunStatus.COMPLETED] * 6
    assert before.items() <= {run_id: store.get_run(run_id) for run_id in run_ids}.items()


ISOLATED = """import pathlib, pytest, time
LOG = pathlib.Path("log")
@pytest.mark.parametrize("n", range(4))
def test_of(n):
    first = not LOG.exists() or f"start {n}" not in LOG.read_text()
    with LOG.open("a") as log:
        log.write(f"start {n}\\n")
    if n == 0 and first:
        pytest.fail("once")
    time.sleep(0.3)
    with LOG.open("a") as log:
        log.write(f"end {n}\\n")
"""


def test_an_isolated_retry_runs_last_and_alone(own_suite: Program, tmp_path: Path) -> None:
    """The test that failed first runs again when the others have ended; its batch is flaky."""
    (own_suite.folder / "test_isolated.py").write_text(ISOLATED)
    with suite_worker(own_suite, tmp_path, QUEUE_CONCURRENCY="2"):
        retries = ("--retries", "1", "--retry-strategy", "isolated")
        done = own_suite("run", "test_isolated.py", "--wait", "--json", *retries, "--", *NO_BROWSER)
    assert done.code == 0, done.out
    assert {run["case"][-2]: run["flaky"] for run in done.json["runs"]} == {
        "0": True,
        "1": False,
        "2": False,
        "3": False,
    }
    lines = (own_suite.folder / "log").read_text().splitlines()
    assert lines[-2:] == ["start 0", "end 0"]
    assert sorted(lines[:-2]) == sorted(
        ["start 0", *(f"{what} {n}" for n in (1, 2, 3) for what in ("start", "end"))]
    )
    (batch,) = own_suite("batch", "list", "--json").json["batches"][:1]
    assert (batch["verdict"], batch["flaky"]) == ("flaky", 1)


def ended(store: SupabaseStore, run_id: str) -> bool:
    """Tell whether a run has ended."""
    run = store.get_run(run_id)
    return run is not None and run.status.final


def test_a_selection_runs_what_it_names_and_a_retry_makes_a_test_flaky(own_suite: Program, tmp_path: Path) -> None:
    """By node, keyword, tag and last failure; a flaky test fails the command only where that is wanted."""
    (own_suite.folder / "test_few.py").write_text(
        "import pathlib, pytest\n@pytest.mark.smoke\ndef test_good(): pass\ndef test_bad(): assert 0\n"
        "def test_flaky():\n    seen = pathlib.Path('seen')\n    first = not seen.exists()\n    seen.touch()\n"
        "    assert not first\n"
    )

    def names(*options: str, target: str = "test_few.py") -> tuple[int, list[str]]:
        done = own_suite("run", target, "--wait", "--json", *options, "--", *NO_BROWSER)
        return done.code, sorted(run["case"].partition("::")[2] for run in done.json["runs"])

    with suite_worker(own_suite, tmp_path, QUEUE_CONCURRENCY="1"):
        assert names(target="test_few.py::test_good") == (0, ["test_good"])
        assert names("--tag", "smoke") == (0, ["test_good"])
        assert names("-k", "good or bad") == (1, ["test_bad", "test_good"])
        assert names("--last-failed") == (1, ["test_bad"])
        flaky = own_suite("run", "test_few.py::test_flaky", "--wait", "--json", "--retries", "1", "--", *NO_BROWSER)
        assert (flaky.code, flaky.json["runs"][0]["flaky"]) == (0, True)
        (own_suite.folder / "seen").unlink()
        assert names("--retries", "1", "--fail-on-flaky", target="test_few.py::test_flaky") == (1, ["test_flaky"])
        shards = [names("--shard", f"{part}/2")[1] for part in (1, 2)]
        assert sorted([*shards[0], *shards[1]]) == ["test_bad", "test_flaky", "test_good"]
        stopped = own_suite("run", "test_few.py", "--wait", "--json", "--max-failures", "1", "--", *NO_BROWSER).json
        assert [run["status"] for run in stopped["runs"]] == ["failed", "cancelled", "cancelled"]
        assert stopped["exit_code"] == 1


def test_arguments_for_pytest_need_tests_and_tests_need_to_be_collected(own_suite: Program) -> None:
    """Nothing is submitted."""
    (own_suite.folder / "test_broken.py").write_text("import nothing_of_this_name\n")
    broken = own_suite("run", "test_broken.py", "--", *NO_BROWSER)
    assert (broken.code, "nothing_of_this_name" in broken.err) == (2, True)
    unknown = own_suite("run", "test_gone.py", "--", *NO_BROWSER)
    assert (unknown.code, "test_gone.py" in unknown.err) == (2, True)
    (own_suite.folder / "storefront").mkdir()
    (own_suite.folder / "storefront" / "test_login.py").write_text("def test_login(): pass\n")
    nothing = own_suite("run", "storefront", "-k", "nothing_of_this_name", "--", *NO_BROWSER)
    assert (nothing.code, "No case is selected" in nothing.err) == (2, True)
    case = own_suite("run", ROOT / "examples" / "shop" / "cases" / "login.yaml", "--", "-x")
    assert (case.code, "What follows -- is for pytest" in case.err) == (2, True)
