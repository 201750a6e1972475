"""Host processes of pytest suites: real pytest, real processes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from qa_queue.errors import InputError
from qa_queue.models.outcomes import Outcome
from qa_queue.models.payloads import PytestSuite
from qa_queue.reports.phases import Phase, outcome_of
from qa_queue.suites.process import HostDiedError, HostProcess
from tests.support.poll import async_wait_until

ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
CONFTEST = """
import os, pathlib, pytest

def pytest_configure(config):
    config.addinivalue_line("markers", "smoke: quick")

@pytest.fixture(scope="session")
def session_file():
    path = pathlib.Path("session.log")
    path.write_text(path.read_text() + "up " if path.exists() else "up ")
    yield path
    path.write_text(path.read_text() + "down ")

@pytest.fixture(scope="module")
def shared():
    return 1
"""
TESTS = """
import asyncio, os, re, signal, threading, time, greenlet, pytest

@pytest.mark.smoke
def test_passes(session_file): pass

def test_again(session_file): pass

class TestCart:
    def test_fails(self, shared): assert 1 == 2

def test_exits(): os._exit(7)

def test_is_killed(): os.kill(os.getpid(), signal.SIGSEGV)

def test_hangs():
    time.sleep(600)

def test_hangs_in_c():
    re.match("(a+)+$", "a" * 60 + "b")

def test_hangs_beside_a_greenlet():  # as with Playwright, whose loop runs in one
    greenlet.greenlet(time.sleep).switch(600)

def test_hangs_in_a_task():
    async def wait():
        await asyncio.sleep(600)
    asyncio.run(wait())

def test_leaves_a_thread():
    threading.Thread(target=time.sleep, args=(600,), name="left").start()
"""


@pytest.fixture
def suite(tmp_path: Path) -> PytestSuite:
    """A suite in a folder of its own, with a file that cannot be collected."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_shop.py").write_text(TESTS)
    (tmp_path / "test_broken.py").write_text("import nothing_of_this_name")
    arguments = ("-p", "no:cacheprovider", "--continue-on-collection-errors")
    return PytestSuite(root=str(tmp_path), arguments=arguments)


@pytest_asyncio.fixture
async def started(suite: PytestSuite) -> AsyncIterator[HostProcess]:
    """A host whose session is up."""
    process = await HostProcess.start(suite, ENVIRONMENT)
    await process.ready()
    yield process
    await process.kill()


async def outcomes(process: HostProcess, *names: str) -> dict[str, Outcome]:
    """Run tests and return their outcomes."""
    phases: dict[str, dict[str, Phase]] = {}
    async for node_id, phase in process.run(await process.select([f"test_shop.py::{name}" for name in names])):
        if phase is not None:
            phases.setdefault(node_id.partition("::")[2], {})[phase.when] = phase
    return {name: outcome_of(found) for name, found in phases.items()}


async def test_a_collection_has_tests_with_markers_and_shared_fixtures(suite: PytestSuite) -> None:
    """And the files that could not be collected."""
    process = await HostProcess.start(suite, ENVIRONMENT, collect_only=True)
    found = await process.collected()
    await process.stop()
    by_name: Mapping[str, object] = {test.name: test for test in found.tests}
    assert list(by_name)[:3] == ["test_passes", "test_again", "test_fails"]
    passes, _, fails = found.tests[:3]
    assert (passes.file, passes.markers, passes.shared) == ("test_shop.py", ("smoke",), ())
    assert (fails.class_id, fails.shared) == ("test_shop.py::TestCart", ("module:shared",))
    assert list(found.errors) == ["test_broken.py"]
    assert "nothing_of_this_name" in found.errors["test_broken.py"]


async def test_session_fixtures_stay_up_between_requests_and_end_with_the_host(
    started: HostProcess, suite: PytestSuite
) -> None:
    """So the second test finds them warm."""
    assert await outcomes(started, "test_passes") == {"test_passes": Outcome.PASSED}
    assert await outcomes(started, "test_again", "TestCart::test_fails") == {
        "test_again": Outcome.PASSED,
        "TestCart::test_fails": Outcome.FAILED,
    }
    log = Path(suite.root, "session.log")
    assert log.read_text() == "up "
    await started.stop()
    assert log.read_text() == "up down "
    assert not started.alive


async def test_fixtures_of_subfolders_are_found_in_every_request(started: HostProcess, suite: PytestSuite) -> None:
    """Of the conftest of a folder, above it too; tests are selected file by file, in any order."""
    files = {
        "sub/conftest.py": "import pytest\n@pytest.fixture(autouse=True)\ndef near(): return 'sub'\n",
        "sub/deep/conftest.py": "import pytest\n@pytest.fixture\ndef deep(near): return near + '/deep'\n",
        "sub/deep/test_deep.py": "def test_deep(deep): assert deep == 'sub/deep'\n",
        "sub/test_sub.py": "def test_sub(near): assert near == 'sub'\n",
        "sub/test_other.py": "def test_other(near, shared): assert (near, shared) == ('sub', 1)\n",
    }
    for name, text in files.items():
        Path(suite.root, name).parent.mkdir(parents=True, exist_ok=True)
        Path(suite.root, name).write_text(text)
    for test in ("sub/deep/test_deep.py::test_deep", "sub/test_sub.py::test_sub", "sub/test_other.py::test_other"):
        phases = {phase.when: phase async for _, phase in started.run(await started.select([test])) if phase}
        assert (test, outcome_of(phases)) == (test, Outcome.PASSED), phases["setup"].message


@pytest.mark.parametrize(
    ("name", "ending"), [("test_exits", "ended with exit code 7"), ("test_is_killed", "was ended by SIGSEGV")]
)
async def test_a_test_that_ends_its_process_is_an_error_that_names_how(
    started: HostProcess, name: str, ending: str
) -> None:
    """With what it printed, without pytest's own words and frames; the next test needs a new host."""
    with pytest.raises(HostDiedError, match=ending) as died:
        await outcomes(started, name)
    assert not started.alive
    assert "test session starts" not in str(died.value)
    assert "/_pytest/" not in str(died.value)
    assert (f"in {name}" in str(died.value)) == ("SIGSEGV" in ending)


async def test_a_host_ends_with_its_worker_even_while_a_test_hangs(started: HostProcess) -> None:
    """The end of the connection kills the whole process group."""
    await started.select(["test_shop.py::test_hangs"])
    started._send(op="run", ids=["test_shop.py::test_hangs"])
    host = psutil.Process(started.pid)
    started._writer.close()
    await async_wait_until(lambda: not host.is_running() or host.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("test_hangs", "time.sleep(600)"),
        ("test_hangs_in_c", None),
        ("test_hangs_beside_a_greenlet", "greenlet.greenlet(time.sleep).switch(600)"),
        ("test_hangs_in_a_task", "await asyncio.sleep(600)"),
    ],
)
async def test_a_hanging_test_has_a_stack(
    started: HostProcess, suite: PytestSuite, name: str, line: str | None
) -> None:
    """Of the suite's own frames, whatever it waits for."""
    function = "wait" if line and "await" in line else name
    (one,) = await started.select([f"test_shop.py::{name}"])
    phases = started.run([one])
    await anext(phases)  # its setup has ended
    async with asyncio.timeout(60):  # the test may not have begun, and the machine may be slow
        while f"in {function}" not in (text := await started.stack()) or (line or "") not in text:
            pass
    assert f'File "{suite.root}/test_shop.py", line ' in text
    assert "/_pytest/" not in text


async def test_a_thread_of_a_test_does_not_keep_a_host(started: HostProcess) -> None:
    """It ends itself, with its fixtures torn down, long before it would be killed."""
    assert await outcomes(started, "test_leaves_a_thread") == {"test_leaves_a_thread": Outcome.PASSED}
    await started.stop()
    assert started._process.returncode == 0, "a host that is killed ends with -9"


@pytest.mark.parametrize("changed", [{"root": "/no/such/folder"}, {"python": "/no/such/python"}])
async def test_a_suite_that_cannot_be_started_is_bad_input(suite: PytestSuite, changed: dict[str, str]) -> None:
    """With what is missing."""
    with pytest.raises(InputError, match="The suite cannot be started: /no/such"):
        await HostProcess.start(suite.model_copy(update=changed), ENVIRONMENT)


async def test_arguments_that_pytest_refuses_are_bad_input_with_its_words(suite: PytestSuite) -> None:
    """The end of pytest's output."""
    process = await HostProcess.start(suite.model_copy(update={"arguments": ("--no-such-option",)}), ENVIRONMENT)
    with pytest.raises(InputError, match="no-such-option"):
        await process.ready()
    await process.kill()


async def test_a_file_is_collected_when_it_is_wanted_and_stands_for_its_tests(started: HostProcess) -> None:
    """A class too."""
    assert len(await started.select(["test_shop.py"])) == TESTS.count("def test_")
    assert await started.select(["test_shop.py::TestCart"]) == ("test_shop.py::TestCart::test_fails",)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("test_shop.py::test_gone", "pytest finds no test test_shop.py::test_gone"),
        ("test_gone.py::test_x", "pytest finds no test test_gone.py::test_x"),
        ("test_broken.py", "nothing_of_this_name"),
    ],
)
async def test_a_test_that_does_not_exist_is_bad_input_and_the_host_goes_on(
    started: HostProcess, wanted: str, words: str
) -> None:
    """The message says what pytest did not find or could not import."""
    with pytest.raises(InputError, match=words):
        await started.select([wanted])
    assert await outcomes(started, "test_passes") == {"test_passes": Outcome.PASSED}


async def test_an_interpreter_without_pytest_is_named_with_what_to_do(tmp_path: Path) -> None:
    """As that of a virtual environment into which qa-queue alone was installed."""
    python = tmp_path / "my python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')  # without site-packages
    python.chmod(0o700)
    host = await HostProcess.start(PytestSuite(root=str(tmp_path), python=str(python)), ENVIRONMENT)
    try:
        with pytest.raises(InputError, match="has no pytest") as raised:
            await host.ready()
    finally:
        await host.kill()
    assert f"`'{python}' -m pip install pytest" in str(raised.value)
