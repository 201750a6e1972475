"""Services that all contenders share: one shop, one Redis, one Supabase Lite, one browser, on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.engine.kit import ROOT
from qa_queue.cases.model import Case
from qa_queue.cases.reader import load_cases
from qa_queue.local.process import LocalServer
from qa_queue.local.redis import start_redis
from qa_queue.local.supabase import start_supabase
from qa_queue.settings import load_settings
from qa_queue.settings.chromium import find_browser

LOGIN = ROOT / "examples" / "shop" / "cases" / "login.yaml"
_OWN = ("REDIS_", "SUPABASE_", "QUEUE_", "RQ_", "QA_", "BENCH_")


@dataclass(frozen=True, kw_only=True)
class BenchService:
    """`services` are the process ids of shop, Redis and Supabase by name, whose CPU is noted too."""

    folder: Path
    browser: Path
    shop: str
    redis: LocalServer
    supabase: LocalServer | None
    services: dict[str, int]

    @property
    def case(self) -> Case:
        """The shop's five-step login case, pointed at this shop."""
        (case,) = load_cases(LOGIN)
        return case.model_copy(update={"base_url": self.shop})

    def environment(self, **more: str) -> dict[str, str]:
        """Of a worker or another contender, without settings of the developer's own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
        ours = {
            "REDIS_URL": self.redis.url,
            "QA_HOME": str(self.folder / "qa"),
            "QA_BROWSER_PATH": str(self.browser),
            "LOG_LEVEL": "ERROR",
            "PYTHONPATH": str(ROOT),
        }
        if self.supabase is not None:
            ours |= {"SUPABASE_URL": self.supabase.url, "SUPABASE_SECRET_KEY": str(self.supabase.key)}
        return kept | ours | more


@contextmanager
def started_service(*, supabase: bool) -> Iterator[BenchService]:
    """Start everything, and stop it after the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="qa-bench-")))
        redis = stack.enter_context(start_redis(folder / "redis"))
        lite = None
        if supabase:
            lite = stack.enter_context(start_supabase(folder / "supabase", cache=ROOT / ".qa" / "cache"))
        shop, pid = stack.enter_context(started_shop())
        services = {"shop": pid, "redis": redis.pid} | ({"supabase": lite.pid} if lite else {})
        browser = find_browser(load_settings())
        yield BenchService(folder=folder, browser=browser, shop=shop, redis=redis, supabase=lite, services=services)


@contextmanager
def started_shop() -> Iterator[tuple[str, int]]:
    """The URL and process id of a shop, which runs in a process of its own."""
    command = [sys.executable, "-m", "examples.shop", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as popen:
        try:
            assert popen.stdout is not None
            yield popen.stdout.readline().strip(), popen.pid
        finally:
            popen.terminate()
