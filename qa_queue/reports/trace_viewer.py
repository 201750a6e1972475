"""Playwright's trace viewer, served by ourselves from the files in the `playwright` package.

The viewer unpacks a trace in a service worker of the page, which reads it from the address in `?trace=`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from secrets import token_urlsafe

from qa_queue.errors import SettingsError

_FOLDER = Path("driver", "package", "lib", "vite", "traceViewer")
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_TRACE = "trace.zip"


@cache
def viewer_folder() -> Path:
    """Return the folder with the viewer's files.

    Raises:
        SettingsError: the installed Playwright has none.
    """
    spec = find_spec("playwright")  # its folder is all that is needed
    folder = Path(spec.origin).parent / _FOLDER if spec and spec.origin else Path()
    if not (folder / "index.html").is_file():
        raise SettingsError(
            f"Playwright's trace viewer is not in {folder}: install the package again, "
            "`pip install --force-reinstall playwright`."
        )
    return folder


@cache
def viewer_policy() -> str:
    """Return the content security policy of the viewer: its own files, and the one script within its page.

    Snapshots are pages of the site under test that the service worker answers, with a policy of their own.
    """
    page = (viewer_folder() / "index.html").read_text(encoding="utf-8")
    hashes = "".join(
        f" 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in _INLINE.findall(page)
    )
    return (
        f"default-src 'none'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; "
        "connect-src 'self' data: blob:; frame-src 'self' data: blob:; worker-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


@contextmanager
def serving_trace(trace: Path) -> Iterator[str]:
    """Serve the viewer with one trace on a free port of loopback; yield the address, which cannot be guessed."""
    prefix, folder = f"/{token_urlsafe(16)}/", viewer_folder()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if not path.startswith(prefix):
                self.send_error(HTTPStatus.NOT_FOUND)
            elif path == prefix + _TRACE:
                self._send_trace()
            else:
                self.path = path.removeprefix(prefix[:-1])
                super().do_GET()

        def _send_trace(self) -> None:
            with trace.open("rb") as file:
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", "application/zip")
                self.send_header("Content-Length", str(trace.stat().st_size))
                self.end_headers()
                shutil.copyfileobj(file, self.wfile)

        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", viewer_policy())
            self.send_header("Referrer-Policy", "no-referrer")
            super().end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing: the terminal is the user's."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *given: Handler(*given, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{prefix}index.html?trace={_TRACE}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
