"""A service for each rehearsal: Redis, the scheduler as a process, and the receivers of its alerts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from qa_queue.local.process import free_port
from tests.support.live_service import LiveService
from tests.support.receivers import SECRET, Hook, MailBox, mail_server, webhook

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


class AlertService(LiveService):
    """A live service with `qa-alerts.yaml` and the receivers of its alerts."""

    def __init__(self, folder: Path, stack: ExitStack, box: MailBox, mail_url: str, hook: Hook) -> None:
        super().__init__(
            folder,
            stack,
            QA_SECRET_MAIL_URL=mail_url,
            QA_SECRET_HOOK_URL=hook.url,
            QA_SECRET_HOOK=SECRET,
            QA_ALERTS_FILE=str(folder / "qa-alerts.yaml"),
        )
        self.box, self.hook = box, hook
        self.web_port = free_port()
        self.configure(QUICK)

    @property
    def web(self) -> dict[str, str]:
        """Settings of the service's pages: their port, open to requests from this machine."""
        return {"QA_WEB_PORT": str(self.web_port), "QA_API_OPEN_ON_LOOPBACK": "true"}

    def configure(self, text: str) -> None:
        """Write `qa-alerts.yaml`."""
        (self.folder / "qa-alerts.yaml").write_text(text)

    def both(self, status: str, rule: str, timeout: float = 90) -> str:
        """Wait until an alert has arrived by mail and by webhook; return its summary."""
        summary: str = self.hook.wait(status, rule, timeout)["summary"]
        word = "RESOLVED" if status == "resolved" else ""
        self.box.find(rule, word, timeout=timeout)
        return summary


@pytest.fixture
def service(tmp_path: Path) -> Iterator[AlertService]:
    with ExitStack() as stack:
        box, mail_url = stack.enter_context(mail_server())
        hook = stack.enter_context(webhook())
        yield AlertService(tmp_path, stack, box, mail_url, hook)
