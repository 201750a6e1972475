"""The pool of warm host processes: reuse, renewal, and the end of a broken host."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from processors.suites.pool import HostPool
from qa_queue.models.payloads import PytestSuite
from qa_queue.suites.process import HostProcess

HOLDS_MEMORY = """
import subprocess, sys

INNER = "held = bytearray(60 << 20); print('held', flush=True); input()"
OUTER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {INNER!r}])"


def test_one():
    process = subprocess.Popen([sys.executable, "-c", OUTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\\n"
    sys.modules["held"] = process  # it stays
"""
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


@pytest.fixture
def suite(tmp_path: Path) -> PytestSuite:
    """A suite of one test."""
    (tmp_path / "test_one.py").write_text("def test_one(): pass\n")
    return PytestSuite(root=str(tmp_path), arguments=("-p", "no:cacheprovider"))


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[HostPool]:
    opened = HostPool(memory_bytes=2 << 30)
    yield opened
    await opened.close()


async def pid_of(pool: HostPool, suite: PytestSuite, **environment: str) -> int:
    """Run the suite's test and return the process that ran it."""
    async with pool.host(suite, ENVIRONMENT | environment) as host:
        tests = await host.select(["test_one.py"])
        assert [phase.outcome async for _, phase in host.run(tests) if phase] == ["passed"] * 3
        return host.pid


async def test_the_next_test_finds_its_host_warm(pool: HostPool, suite: PytestSuite) -> None:
    """The same process; another environment gets another one."""
    first = await pid_of(pool, suite)
    assert await pid_of(pool, suite) == first
    assert await pid_of(pool, suite, STAGE="dev") != first


async def test_a_changed_file_renews_the_host(pool: HostPool, suite: PytestSuite) -> None:
    """So no test runs on old code."""
    first = await pid_of(pool, suite)
    Path(suite.root, "test_one.py").write_text("def test_one(): assert True\n")
    assert await pid_of(pool, suite) != first


@pytest.mark.parametrize(
    "folder", ["{tmp_path}/helpers", "{tmp_path}/suite/../helpers", "../helpers", "linked", ".hidden"]
)
async def test_a_changed_module_outside_of_the_suite_renews_the_host(
    tmp_path: Path, pool: HostPool, folder: str
) -> None:
    """A test imported it: what is watched of the suite's folder is not all the code that runs."""
    root, helpers = tmp_path / "suite", tmp_path / "helpers"
    for one in (root / ".hidden", helpers):
        one.mkdir(parents=True)
        (one / "helper.py").write_text("ONE = 1\n")
    (root / "linked").symlink_to(helpers)
    (root / "test_one.py").write_text("def test_one():\n    from helper import ONE\n    assert ONE\n")
    suite = PytestSuite(root=str(root), arguments=("-p", "no:cacheprovider"))
    place = folder.format(tmp_path=tmp_path)
    first = await pid_of(pool, suite, PYTHONPATH=place)
    assert await pid_of(pool, suite, PYTHONPATH=place) == first
    (root / place / "helper.py").write_text("ONE = 1  # changed\n")
    assert await pid_of(pool, suite, PYTHONPATH=place) != first


async def test_changed_settings_above_the_suite_renew_the_host(tmp_path: Path, pool: HostPool) -> None:
    """pytest finds them above the folder in which it is started."""
    root, settings = tmp_path / "suite", tmp_path / "pytest.ini"
    root.mkdir()
    settings.write_text("[pytest]\n")
    (root / "test_one.py").write_text("def test_one(): pass\n")
    suite = PytestSuite(root=str(root), arguments=("-p", "no:cacheprovider"))
    async with pool.host(suite, ENVIRONMENT) as host:
        tests = await host.select(["suite/test_one.py"])
        assert [phase.outcome async for _, phase in host.run(tests) if phase] == ["passed"] * 3
    settings.write_text("[pytest]\naddopts = -x\n")
    async with pool.host(suite, ENVIRONMENT) as another:
        assert another.pid != host.pid


async def test_a_host_that_is_needed_twice_at_once_is_two(pool: HostPool, suite: PytestSuite) -> None:
    """Each runs one test at a time."""
    async with pool.host(suite, ENVIRONMENT) as one, pool.host(suite, ENVIRONMENT) as other:
        assert one.pid != other.pid


async def test_a_host_whose_use_failed_is_killed(pool: HostPool, suite: PytestSuite) -> None:
    """It may be in any state; the next test gets a new one."""
    used: list[HostProcess] = []

    async def fail() -> None:
        async with pool.host(suite, ENVIRONMENT) as host:
            used.append(host)
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await fail()
    assert not used[0].alive
    assert await pid_of(pool, suite) != used[0].pid


async def test_a_host_over_its_memory_limit_is_not_kept(suite: PytestSuite) -> None:
    """It ends after its test."""
    small = HostPool(memory_bytes=1)
    first = await pid_of(small, suite)
    assert await pid_of(small, suite) != first
    await small.close()


async def test_the_memory_of_a_host_includes_its_descendants(pool: HostPool, suite: PytestSuite) -> None:
    """Those of a browser are processes of processes."""
    Path(suite.root, "test_one.py").write_text(HOLDS_MEMORY)
    async with pool.host(suite, ENVIRONMENT) as host:
        before = pool.memory_of(host)
        tests = await host.select(["test_one.py"])
        assert [phase.outcome async for _, phase in host.run(tests) if phase] == ["passed"] * 3
        assert pool.memory_of(host) > before + (50 << 20)
    assert before > 0
