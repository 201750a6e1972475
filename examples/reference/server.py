"""The site of the examples: the pages of `site/`, and an API over a list in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SITE = Path(__file__).parent / "site"


class Handler(SimpleHTTPRequestHandler):
    """Serves `/form` from `site/form.html`."""

    protocol_version = "HTTP/1.1"

    def translate_path(self, path: str) -> str:
        found = Path(super().translate_path(path))
        page = found.with_suffix(".html")
        return str(page if not found.suffix and page.is_file() else found)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the site is a background of tests."""


@contextmanager
def serve(port: int = 0) -> Iterator[str]:
    """Serve the site on loopback while the block runs; yields its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(SITE)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
