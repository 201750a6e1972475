"""A service for each rehearsal: Redis, the scheduler as a process, and the receivers of its alerts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from qa_queue.local.process import LocalServer, free_port
from qa_queue.local.redis import start_redis
from tests.support.receivers import SECRET, Hook, MailBox, mail_server, webhook

ROOT = Path(__file__).resolve().parents[3]
QUICK = """
version: 1
every: 1s
group_wait: 0s
rules:
  queue_depth: {above: 2, for: 0s}
  oldest_waiting: false
  dead_letter: {window: 1m}
  no_worker: false
  redis_away: {for: 1s}
  supabase_away: {for: 1s}
  disk_low: false
channels:
  mail: {url: "${secret.MAIL_URL}"}
  hook: {webhook: "${secret.HOOK_URL}", secret: "${secret.HOOK}"}
"""


class LiveService:
    """A Redis that can be stopped and started again, a folder with `qa-alerts.yaml`, and processes in it."""

    def __init__(self, folder: Path, stack: ExitStack, box: MailBox, mail_url: str, hook: Hook) -> None:
        self.folder, self.box, self.hook = folder, box, hook
        self._stack = stack
        self._port, self.web_port = free_port(), free_port()
        self.redis = self.start_redis()
        self.log = folder / "processes.log"
        self.variables = {
            "QA_SECRET_MAIL_URL": mail_url,
            "QA_SECRET_HOOK_URL": hook.url,
            "QA_SECRET_HOOK": SECRET,
            "QA_HOME": str(folder / "home"),
            "QA_ALERTS_FILE": str(folder / "qa-alerts.yaml"),
            "REDIS_URL": self.redis.url,
        }
        self.configure(QUICK)

    @property
    def web(self) -> dict[str, str]:
        """Settings of the service's pages: their port, open to requests from this machine."""
        return {"QA_WEB_PORT": str(self.web_port), "QA_API_OPEN_ON_LOOPBACK": "true"}

    def configure(self, text: str) -> None:
        """Write `qa-alerts.yaml`."""
        (self.folder / "qa-alerts.yaml").write_text(text)

    def start_redis(self) -> LocalServer:
        """Start it, or start it again on the same port."""
        self.redis = self._stack.enter_context(start_redis(self.folder / "redis", self._port))
        return self.redis

    def scheduler(self, **more: str) -> subprocess.Popen[bytes]:
        """A scheduler as a process of its own; killed at the end."""
        return self.process("-m", "qa_queue.worker.scheduler", **more)

    def process(self, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        """A Python process of the service; killed at the end."""
        with self.log.open("ab") as log:
            popen = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=os.environ | self.variables | more,
                stdout=log,
                stderr=log,
            )
        self._stack.callback(popen.wait, 20)
        self._stack.callback(popen.kill)
        return popen

    def both(self, status: str, rule: str, timeout: float = 90) -> str:
        """Wait until an alert has arrived by mail and by webhook; return its summary."""
        summary: str = self.hook.wait(status, rule, timeout)["summary"]
        word = "RESOLVED" if status == "resolved" else ""
        self.box.find(rule, word, timeout=timeout)
        return summary


@pytest.fixture
def service(tmp_path: Path) -> Iterator[LiveService]:
    with ExitStack() as stack:
        box, mail_url = stack.enter_context(mail_server())
        hook = stack.enter_context(webhook())
        yield LiveService(tmp_path, stack, box, mail_url, hook)
