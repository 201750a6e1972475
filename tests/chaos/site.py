"""The site of a chaos run: a page for each step of each attempt, which notes that it was opened."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from qa_queue.cases.model import Step
from tests.chaos.events import EFFECT, EFFECT_END, EventLog
from tests.chaos.plan import ABSENT_S
from tests.support.steps import expect, goto

_STOP_S = 0.5  # in which the site ends at the latest


def steps_of(name: str, holds_ms: tuple[int, ...], *, passes: bool) -> tuple[Step, ...]:
    """Return the steps of a run: open each page and compare its heading; the last one fails unless it passes.

    Steps that pass have 30 s, so that no busy machine makes them fail.
    """
    steps: list[Step] = []
    for number, hold in enumerate(holds_ms, 1):
        wrong = number == len(holds_ms) and not passes
        page = goto(f"/{name}/${{run.attempt}}/{number}/{hold}").model_copy(update={"timeout_ms": 30_000})
        heading = expect("h1", text="Elsewhere" if wrong else f"Step {number}")
        steps += [page, heading.model_copy(update={"timeout_ms": int(ABSENT_S * 1000) if wrong else 30_000})]
    return tuple(steps)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    log: EventLog
    stopped: threading.Event

    def handle_error(self, *_: object) -> None:
        """Log nothing: clients are killed on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if len(parts) != 4:  # such as /favicon.ico
            self.send_error(404)
            return
        name, attempt, step, hold = parts[0], int(parts[1]), int(parts[2]), int(parts[3])
        self.server.log.note(EFFECT, name, attempt, step=step)
        self.server.stopped.wait(hold / 1000)
        body = f"<h1>Step {step}</h1>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.server.log.note(EFFECT_END, name, attempt, step=step)  # before the client can go on to its next step
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def serve_steps(log: EventLog) -> Iterator[str]:
    """The site's URL, while it is up."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.log, server.stopped = log, threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _STOP_S})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.stopped.set()
            server.shutdown()
            thread.join()
