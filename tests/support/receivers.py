"""Receivers of alerts in tests: a real mail server and a real HTTP server on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message as Mail
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from qa_queue.local.process import free_port
from qa_queue.monitoring.alerts import verify
from qa_queue.monitoring.alerts.channels import HEADER
from tests.support.poll import wait_until

SECRET = "hook-secret-4711"


class MailBox:
    """The mails that a server has accepted."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(message_from_bytes(content))
        return "250 taken"

    def find(self, *words: str, timeout: float = 60) -> str:
        """Wait for a mail with all of these words in its subject or text, and return both."""

        def look() -> str:
            return next((text for text in map(_text, self.mails) if all(word in text for word in words)), "")

        return wait_until(look, timeout, f"a mail with {words}")


def _text(mail: Mail) -> str:
    parts = [part.get_payload(decode=True) for part in mail.walk() if part.get_content_type() == "text/html"]
    plain = [part.get_payload(decode=True) for part in mail.walk() if part.get_content_type() == "text/plain"]
    return "\n".join([str(mail["Subject"]), *(text.decode() for text in parts + plain if isinstance(text, bytes))])


@contextmanager
def mail_server() -> Iterator[tuple[MailBox, str]]:
    """Run a mail server, and yield its mails and the apprise URL that sends to it."""
    box, port = MailBox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, f"mailto://127.0.0.1:{port}?from=qa@example.com&to=team@example.com"
    finally:
        controller.stop()


class Hook:
    """The receiver of a webhook. `answer` returns its status; `messages` are those with a valid signature."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.requests: list[dict[str, str]] = []  # headers
        self.forged = 0
        self.answer: Callable[[], int] = lambda: 200
        self.location = ""
        self.url = ""

    def alerts(self, status: str, rule: str) -> list[dict[str, Any]]:
        """Return the alerts of a status and a rule from all messages."""
        every = (alert for message in self.messages for alert in message["alerts"])
        return [alert for alert in every if (alert["status"], alert["rule"]) == (status, rule)]

    def wait(self, status: str, rule: str, timeout: float = 60) -> dict[str, Any]:
        """Wait for an alert of a status and a rule, and return the first one."""
        return wait_until(lambda: self.alerts(status, rule), timeout, f"{status} {rule} in {self.messages}")[0]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        self.requests.append(headers)
        if not verify(SECRET, headers.get(HEADER, ""), body, now=time.time()):
            self.forged += 1
            return 401
        status = self.answer()
        if status == 200:
            self.messages.append(json.loads(body))
        return status


@contextmanager
def webhook() -> Iterator[Hook]:
    """Run a receiver that checks every signature."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = hook.take(dict(self.headers), body)
            self.send_response(status)
            if hook.location:
                self.send_header("Location", hook.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hook.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
