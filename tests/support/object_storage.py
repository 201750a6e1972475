"""A server that speaks the object API of Supabase Storage, as its documentation describes it.

Supabase Lite 0.10 has this API only as an experiment, and its downloads end before the first byte.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

KEY = "sb_secret_of_storage"
LARGEST = 1_000_000


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: ClassVar[Path]

    def do_POST(self) -> None:
        """Create a bucket, list a folder, or store an object."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._allowed():
            return
        match self._parts():
            case ["bucket"]:
                name = json.loads(body)["name"]
                if (self.root / name).is_dir():
                    self._fail(400, "409", "The resource already exists")
                else:
                    (self.root / name).mkdir()
                    self._answer(200, {"name": name})
            case ["object", "list", bucket]:
                self._answer(200, self._listed(bucket, json.loads(body)))
            case ["object", bucket, *rest]:
                if len(body) > LARGEST:
                    self._fail(400, "413", "The object exceeded the maximum allowed size")
                    return
                path = self.root / bucket / "/".join(rest)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)
                self._answer(200, {"Key": f"{bucket}/{'/'.join(rest)}"})

    def do_GET(self) -> None:
        """Send an object."""
        if not self._allowed():
            return
        _, _, bucket, *rest = self._parts()
        path = self.root / bucket / "/".join(rest)
        if path.is_file():
            self._send(200, path.read_bytes())
        else:
            self._fail(400, "404", "Object not found")

    def do_DELETE(self) -> None:
        """Delete the named objects of a bucket."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._allowed():
            return
        _, bucket = self._parts()
        for name in json.loads(body)["prefixes"]:
            path = self.root / bucket / name
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self.root / bucket or not folder.is_dir() or any(folder.iterdir()):
                    break
                folder.rmdir()
        self._answer(200, [])

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def _listed(self, bucket: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        folder = self.root / bucket / wanted["prefix"]
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
        return [_entry(path) for path in paths[wanted["offset"] :][: wanted["limit"]]]

    def _parts(self) -> list[str]:
        return [unquote(part) for part in self.path.removeprefix("/storage/v1/").split("/")]

    def _allowed(self) -> bool:
        known = self.headers.get("apikey") == KEY
        if not known:
            self._fail(400, "403", "Invalid API key")
        return known

    def _fail(self, status: int, meant: str, message: str) -> None:
        self._answer(status, {"statusCode": meant, "error": message, "message": message})

    def _answer(self, status: int, body: object) -> None:
        self._send(status, json.dumps(body).encode())

    def _send(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _entry(path: Path) -> dict[str, Any]:
    if path.is_dir():
        return {"name": path.name, "id": None}
    entry = path.stat()
    changed = datetime.fromtimestamp(entry.st_mtime, UTC).isoformat()
    return {"name": path.name, "id": path.name, "updated_at": changed, "metadata": {"size": entry.st_size}}


@contextmanager
def serve_storage(root: Path, port: int = 0) -> Iterator[str]:
    """Serve the objects in a folder until the `with` block ends; yield the project's URL."""
    handler = type("Handler", (_Handler,), {"root": root})
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
