"""Real parts for all tests: one Redis, one Supabase and one browser a session, started when first asked for."""

from __future__ import annotations

import ast
import gc
import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import redis
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from qa_queue.errors import InfrastructureError
from qa_queue.local.process import LocalServer
from qa_queue.local.redis import start_redis
from qa_queue.local.supabase import start_supabase
from qa_queue.settings import load_settings
from qa_queue.settings.chromium import find_browser

# No timed assertion: a busy machine may take as long as it needs for an example. The examples are the same in each
# run, so that a failure belongs to the change before it; HYPOTHESIS_PROFILE=explore draws others.
for profile, same in (("qa", True), ("explore", False)):
    hypothesis_settings.register_profile(
        profile, deadline=None, derandomize=same, suppress_health_check=[HealthCheck.too_slow]
    )
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "qa"))


def _parse(source: Any, *args: Any, parse: Callable[..., ast.AST] = ast.parse, **options: Any) -> ast.AST:
    """Parse without the garbage collector: if that runs Python code meanwhile, Python 3.11 raises a SystemError."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        return parse(source, *args, **options)
    finally:
        if was_on:
            gc.enable()


ast.parse = _parse  # of Hypothesis too; https://github.com/python/cpython/issues/106905

# A service on a busy machine may take longer than httpx waits by default, 5 s.
DEFAULT_TIMEOUT_CONFIG.connect = DEFAULT_TIMEOUT_CONFIG.read = DEFAULT_TIMEOUT_CONFIG.write = 120.0

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell started the tests in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the programs that they start are to handle Ctrl-C

ROOT = Path(__file__).resolve().parents[1]
# A test run starts Playwright's driver, a program for Node, about 90 times, which compiles it a third of that time.
os.environ.setdefault("NODE_COMPILE_CACHE", str(ROOT / ".qa" / "node-cache"))
TEMPLATES = ROOT / ".qa" / "test-templates"  # databases of tests with migrations of their own, made once
# A database of somebody else; tests that need one of any kind share its template, which takes seconds to make.
FOREIGN_MIGRATION = ("20260101000000_other.sql", "create table public.other (id uuid primary key);")
# Files that take longest, longest first; then the kinds of tests, those that start most processes first.
LONGEST_FILES = (
    "tests/acceptance/test_wheel.py",
    "tests/integration/alerts/test_rehearsals.py",
    "tests/integration/worker/test_worker_jobs.py",
    "tests/browser/test_reference.py",
    "tests/acceptance/test_suites.py",
    "tests/acceptance/test_sites.py",
    "tests/integration/schedules/test_schedule_processes.py",
    "tests/integration/test_redis_sentinel.py",
    "tests/faults/test_outages.py",
    "tests/integration/worker/test_worker_life.py",
    "tests/acceptance/test_command_line.py",
    "tests/integration/suites/test_suite_runs.py",
    "tests/faults/test_kills.py",
    "tests/integration/settlement/test_settlement_command.py",
    "tests/integration/test_local_servers.py",
    "tests/integration/worker/test_worker_renewal.py",
    "tests/acceptance/test_shared_evidence.py",
    "tests/integration/test_supabase_schedules.py",
    "tests/chaos/test_chaos.py",
    "tests/acceptance/test_shop.py",
    "tests/acceptance/test_bad_input.py",
    "tests/integration/worker/test_worker_command.py",
    "tests/integration/suites/test_bundle.py",
    "tests/integration/api/test_api_schema.py",
    "tests/browser/test_egress.py",
    "tests/unit/cases/test_document.py",
)
KINDS = (
    "tests/faults/",
    "tests/acceptance/",
    "tests/integration/",
    "tests/contract/",
    "tests/chaos/",
    "tests/browser/",
    "examples/",
)
_OWN_VARIABLES = ("REDIS_", "SUPABASE_", "QUEUE_", "RQ_", "QA_", "LOG_")
_ASKED_BROWSER = os.environ.get("QA_BROWSER_PATH")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the developer's own settings out of the tests."""
    for name in [name for name in os.environ if name.startswith(_OWN_VARIABLES)]:
        del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files in the order in which a parallel run with `--dist loadfile` starts them."""
    place = {path: number for number, path in enumerate(file_order({file_of(item): None for item in items}))}
    items.sort(key=lambda item: place[file_of(item)])


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector, and exempt what stays from it: it would visit all of it repeatedly."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def file_of(item: pytest.Item) -> str:
    """Return the path of a test's file in the repository."""
    return item.nodeid.partition("::")[0]


def file_order(files: Iterable[str]) -> list[str]:
    """Return the files, the long ones first, in a mixture that is the same from the start to the end.

    Files of processes mostly wait, those in the browser and unit tests mostly compute. Evenly mixed, a processor
    that would idle while some tests wait computes others, and those that wait find it free in time.
    """
    known = sorted(files, key=lambda path: (_cost(path), path))
    browser = [path for path in known if path.startswith("tests/browser/")]
    units = [path for path in known if path.startswith(("tests/unit/", "examples/"))]
    processes = [path for path in known if path not in {*browser, *units}]
    places = {
        path: (number + 0.5) / len(group)
        for group in (processes, browser, units)
        for number, path in enumerate(group)
    }
    return sorted(places, key=places.__getitem__)


def _cost(path: str) -> int:
    if path in LONGEST_FILES:
        return LONGEST_FILES.index(path)
    kind = next((n for n, folder in enumerate(KINDS) if path.startswith(folder)), len(KINDS))
    return len(LONGEST_FILES) + kind


def missing(error: InfrastructureError) -> NoReturn:
    """A part that is not installed skips a test on a developer's machine and fails it in CI and `make test`."""
    if os.environ.get("CI"):
        raise error
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """The session's Redis; the `db` of `redis_db` is flushed, so keep what must last elsewhere."""
    try:
        server = start_redis(tmp_path_factory.mktemp("redis"))
    except InfrastructureError as error:
        missing(error)
    with server:
        yield server


@pytest.fixture(scope="session")
def redis_url(redis_server: LocalServer) -> str:
    """URL of a real Redis, password included."""
    return redis_server.url


@pytest.fixture
def redis_db(redis_url: str) -> Iterator[redis.Redis]:
    """A client of the session's Redis, flushed before the test."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        yield client


@pytest.fixture(scope="session")
def supabase(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A real Supabase with the migrations applied: `.url` and `.key`."""
    try:
        server = start_supabase(tmp_path_factory.mktemp("supabase"), cache=ROOT / ".qa" / "cache")
    except InfrastructureError as error:
        missing(error)
    with server:
        yield server


@pytest.fixture(scope="module")
def bare_supabase(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A real Supabase of somebody else: it has none of our tables."""
    folder = tmp_path_factory.mktemp("bare")
    migrations = folder / "migrations"
    migrations.mkdir()
    name, sql = FOREIGN_MIGRATION
    (migrations / name).write_text(sql)
    with start_supabase(folder / "data", cache=TEMPLATES, migrations=migrations) as server:
        yield server


@pytest.fixture(scope="session")
def browser_path() -> Path:
    """An installed Chromium; the developer's QA_BROWSER_PATH counts."""
    try:
        return find_browser(load_settings(qa_browser_path=_ASKED_BROWSER))
    except InfrastructureError as error:
        missing(error)
