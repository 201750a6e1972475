"""The artifact store in a bucket of Supabase Storage, over its HTTP API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from qa_queue.errors import NotFoundError
from qa_queue.store.artifacts.stores import ArtifactRefusedError, ArtifactStoreError, RunFiles
from qa_queue.store.client import is_on_loopback
from qa_queue.store.mapping import chunks

_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_PAGE = 100  # entries of a listing, the most that Storage returns by default


class SupabaseBucket:
    """A private bucket; it is created when it does not exist. `close` when done."""

    def __init__(self, url: str, key: str, bucket: str) -> None:
        self.name = f"supabase:{bucket}"
        self._bucket = bucket
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/storage/v1",
            headers={"apikey": key, "Authorization": f"Bearer {key}"},
            timeout=_TIMEOUT,
            trust_env=not is_on_loopback(url),
        )
        self._created = False

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def put(self, path: str, source: Path, content_type: str) -> None:
        """Upload a file, in pieces."""
        self._create()
        headers = {
            "Content-Type": content_type,
            "Content-Length": str(source.stat().st_size),
            "x-upsert": "true",
        }
        with self._errors(path), source.open("rb") as content:
            self._check(self._http.post(f"/object/{self._at(path)}", content=content, headers=headers), path)

    def fetch(self, path: str, target: Path) -> None:
        """Download a file, in pieces."""
        with self._errors(path), self._http.stream("GET", f"/object/authenticated/{self._at(path)}") as answer:
            if answer.is_error:
                answer.read()
            self._check(answer, path)
            with target.open("wb") as out:
                for piece in answer.iter_bytes():
                    out.write(piece)

    def measure(self, run_id: str) -> RunFiles:
        """Return what a run has in the bucket."""
        return _total(run_id, self._files(run_id))

    def delete(self, run_id: str) -> RunFiles:
        """Delete the files of a run."""
        files = list(self._files(run_id))
        for batch in chunks(files, _PAGE):
            self._delete([path for path, _ in batch], run_id)
        return _total(run_id, files)

    def delete_file(self, path: str) -> None:
        """Delete one file."""
        self._delete([path], path)

    def runs(self) -> Iterator[RunFiles]:
        """Go through the folders of the bucket."""
        for entry in self._list(""):
            if entry.get("id") is None:
                yield self.measure(entry["name"])

    def _delete(self, paths: Sequence[str], path: str) -> None:
        with self._errors(path):
            answer = self._http.request("DELETE", f"/object/{self._bucket}", json={"prefixes": paths})
            self._check(answer, path)

    def _files(self, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Go through the files below a folder, each with its path and its entry."""
        for entry in self._list(folder):
            path = f"{folder}/{entry['name']}"
            if entry.get("id") is None:
                yield from self._files(path)
            else:
                yield path, entry

    def _list(self, folder: str) -> list[dict[str, Any]]:
        """Return the entries of a folder; one without an id is a folder."""
        found: list[dict[str, Any]] = []
        while True:
            wanted = {"prefix": folder, "limit": _PAGE, "offset": len(found), "sortBy": {"column": "name"}}
            with self._errors(folder):
                answer = self._http.post(f"/object/list/{self._bucket}", json=wanted)
                self._check(answer, folder)
                page = answer.json()
            if not page:
                return found
            found += page

    def _create(self) -> None:
        if self._created:
            return
        with self._errors(self._bucket):
            body = {"id": self._bucket, "name": self._bucket, "public": False}
            answer = self._http.post("/bucket", json=body)
            if _status(answer) != HTTPStatus.CONFLICT:
                self._check(answer, self._bucket)
        self._created = True

    def _at(self, path: str) -> str:
        return f"{quote(self._bucket)}/{quote(path)}"

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise ArtifactStoreError(f"{self.name} cannot be used for {path}: {reason}.") from None

    def _check(self, answer: httpx.Response, path: str) -> None:
        if answer.is_success:
            return
        status, text = _status(answer), answer.text[:200]
        if status == HTTPStatus.NOT_FOUND:
            raise NotFoundError(f"{self.name} has no file {path}.")
        if status in {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE}:
            raise ArtifactRefusedError(f"{self.name} refuses {path}: {text}")
        raise ArtifactStoreError(f"{self.name} answers {status} for {path}: {text}")


def _status(answer: httpx.Response) -> int:
    """Return the status that is meant: Storage answers 400 with another one in its body."""
    if answer.status_code == HTTPStatus.BAD_REQUEST:
        try:
            return int(answer.json()["statusCode"])
        except (ValueError, KeyError, TypeError):
            pass
    return answer.status_code


def _total(run_id: str, files: Iterable[tuple[str, dict[str, Any]]]) -> RunFiles:
    return RunFiles.total(run_id, (_size_and_change(entry) for _, entry in files))


def _size_and_change(entry: dict[str, Any]) -> tuple[int, datetime]:
    changed = entry.get("updated_at") or entry.get("created_at")
    moment = datetime.fromisoformat(changed) if changed else datetime.now(UTC)
    return int((entry.get("metadata") or {}).get("size", 0)), moment
