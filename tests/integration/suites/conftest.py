"""Suites in a folder of their own, and a worker's execution of their tests without its queue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from processors.suites.pool import HostPool
from processors.suites.processor import RunProcessor
from qa_queue.cases.model import Case, PytestTests
from tests.support.pytest_arguments import without_plugins
from tests.support.running import ExecutionHarness
from tests.support.services import NoBrowser

Make = Callable[..., Case]


@pytest_asyncio.fixture
async def hosts() -> AsyncIterator[HostPool]:
    opened = HostPool(memory_bytes=1 << 30)
    yield opened
    await opened.close()


@pytest.fixture
def harness(hosts: HostPool, tmp_path: Path) -> Iterator[ExecutionHarness]:
    """A place to run cases of suites in."""
    running = ExecutionHarness(
        browser=NoBrowser(), artifacts_dir=tmp_path / "artifacts", hosts=hosts, processor_type=RunProcessor
    )
    yield running
    running.close()


@pytest.fixture
def suite_case(tmp_path: Path) -> Make:
    """Write a suite of one file and return the case of these tests of it."""

    def make(code: str, *tests: str, conftest: str = "", **fields: Any) -> Case:
        root = tmp_path / "suite"
        root.mkdir(exist_ok=True)
        (root / "test_it.py").write_text(code)
        (root / "conftest.py").write_text(conftest)
        own = {name: fields.pop(name) for name in ("env", "python") if name in fields}
        arguments = (*without_plugins(keep=fields.pop("plugins", ())), *fields.pop("arguments", ()))
        wanted = tuple(f"test_it.py::{test}" for test in tests) or ("test_it.py",)
        pytest_tests = PytestTests(root=str(root), tests=wanted, arguments=arguments, **own)
        return Case(name=wanted[0], pytest=pytest_tests, **fields)

    return make
