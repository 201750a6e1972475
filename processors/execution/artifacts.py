"""Artifacts of a run: files in the artifacts folder and a row for each. They never change a verdict."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from processors.base import Services
from processors.browser.protocol import BrowserSession, DownloadedFile
from processors.execution.redaction import redact, redact_har, redact_json, redact_trace
from qa_queue.errors import EvidenceError
from qa_queue.models import ArtifactKind, utc_now
from qa_queue.store.records import ArtifactRecord, artifact_id

TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webm": "video/webm",
    ".zip": "application/zip",
    ".har": "application/json",
    ".jsonl": "application/x-ndjson",
}
_SNAPSHOT = 20_000  # characters of one that are kept
_log = logging.getLogger(__name__)


class ArtifactRecorder:
    """Writes the files of one try to `<artifacts>/<run>/<attempt>/`.

    An artifact that cannot be recorded or written (a full disk, a closed page) is logged and added to `notes`; the
    run continues.
    """

    def __init__(self, services: Services, run_id: str, attempt: int, *, secrets: Mapping[str, str]) -> None:
        self.notes: list[str] = []
        self._root = services.artifacts_dir
        self._uploads = services.uploads
        self._run_id = run_id
        self._attempt = attempt
        self._writer = services.writer
        self._secrets = secrets
        self._most_bytes = services.settings.evidence_bytes
        self._most_mb = services.settings.qa_run_artifacts_mb
        self._left = self._most_mb << 20  # bytes that the try may still keep
        self._snapshots: list[dict[str, str]] = []

    @property
    def excess(self) -> str | None:
        """The reason to end a try whose files are too many; None while they are not."""
        if self._left >= 0:
            return None
        return f"the run keeps more than {self._most_mb} MiB of files, the most of a try (QA_RUN_ARTIFACTS_MB)"

    async def picture(self, session: BrowserSession, name: str, step_number: int) -> None:
        """Take and store a screenshot of the page."""
        try:
            data = await session.screenshot()
        except EvidenceError as error:
            self._note(name, error)
        else:
            await self.keep(ArtifactKind.SCREENSHOT, name, data, step_number)

    async def trace(self, session: BrowserSession) -> None:
        """Store the session's trace without the secrets."""
        try:
            data = await self._trace(session)
        except (EvidenceError, OSError, zipfile.BadZipFile) as error:
            self._note("trace.zip", error)
        else:
            await self.keep(ArtifactKind.TRACE, "trace.zip", data)

    async def download(self, file: DownloadedFile, step_number: int | None = None) -> None:
        """Store a downloaded file; secrets in a text are masked, and other data that contain one are not stored."""
        name = download_name(file)
        try:
            data = await asyncio.to_thread(file.path.read_bytes)
        except OSError as error:
            self._note(name, error)
            return
        if (clean := _without_secrets(data, self._secrets)) is None:
            self._note(name, EvidenceError("it is not text, and it contains a secret"))
        else:
            await self.keep(ArtifactKind.DOWNLOAD, name, clean, step_number)

    async def har(self, session: BrowserSession) -> None:
        """Store the session's network traffic without the secrets."""
        try:
            data = await asyncio.to_thread(redact_har, await session.save_har(), self._secrets)
        except (EvidenceError, OSError) as error:
            self._note("network.har", error)
        else:
            await self.keep(ArtifactKind.HAR, "network.har", data)

    async def videos(self, session: BrowserSession) -> None:
        """Store a video of each page that is still open; the pages are closed."""
        try:
            for number, path in enumerate(await session.save_videos(), 1):
                data = await asyncio.to_thread(path.read_bytes)
                await self.keep(ArtifactKind.VIDEO, f"page-{number}.webm", data)
        except (EvidenceError, OSError) as error:
            self._note("page-1.webm", error)

    async def snapshot(self, session: BrowserSession, position: str) -> None:
        """Remember the page at a failed step, as an aria snapshot, for `console`."""
        try:
            text = await session.snapshot()
        except EvidenceError as error:
            _log.debug("Run %s: step %s: %s", self._run_id, position, error)
            return
        if text:
            self._snapshots.append(
                {"time": utc_now().isoformat(), "type": "snapshot", "step": position, "text": text[:_SNAPSHOT]}
            )

    async def console(self, session: BrowserSession) -> None:
        """Store the page's log, snapshots and notes, one JSON object per line; without entries there is no file."""
        notes = [{"time": utc_now().isoformat(), "type": "note", "text": text} for text in self.notes]
        if entries := [*session.events, *self._snapshots, *notes]:
            lines = [json.dumps(redact_json(entry, self._secrets), ensure_ascii=False) for entry in entries]
            await self.keep(ArtifactKind.CONSOLE, "console.jsonl", "\n".join([*lines, ""]).encode())

    async def keep(self, kind: ArtifactKind, name: str, data: bytes, step_number: int | None = None) -> None:
        """Write a file and queue its row; `name` is unique in the try."""
        if len(data) > self._most_bytes:
            self._note(name, ValueError(f"it is larger than {self._most_bytes >> 20} MiB (QA_EVIDENCE_MAX_MB)"))
            return
        self._left -= len(data)
        if self.excess is not None:
            self._note(name, ValueError(self.excess))
            return
        path = Path(self._run_id, str(self._attempt), name)
        try:
            await asyncio.to_thread(_write, self._root / path, data)
            if self._uploads:
                await asyncio.to_thread(self._uploads.add, path.as_posix(), _type_of(path))
        except OSError as error:
            self._note(name, error)
            return
        self._writer.put(
            ArtifactRecord(
                id=artifact_id(self._run_id, self._attempt, name),
                test_run_id=self._run_id,
                attempt=self._attempt,
                step_number=step_number,
                kind=kind,
                name=name,
                path=path.as_posix(),
                content_type=_type_of(path),
                size_bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                created_at=utc_now(),
            )
        )

    async def _trace(self, session: BrowserSession) -> bytes:
        with tempfile.TemporaryDirectory(prefix="qa-trace-") as folder:  # readable by this user alone
            raw, clean = Path(folder, "raw.zip"), Path(folder, "clean.zip")
            await session.save_trace(raw)
            if not self._secrets:
                return await asyncio.to_thread(raw.read_bytes)
            await asyncio.to_thread(redact_trace, raw, clean, self._secrets)
            return await asyncio.to_thread(clean.read_bytes)

    def _note(self, name: str, error: Exception) -> None:
        text = redact(f"{name} was not stored: {error}", self._secrets)
        self.notes.append(text)
        _log.warning("Run %s: %s", self._run_id, text)


def picture_name(step_number: int, suffix: str = "") -> str:
    """Return the file name of a step's screenshot, as `step-003-failed.png`; any text can be the suffix."""
    slug = re.sub(r"[^a-z0-9]+", "-", suffix.lower()).strip("-")[:60]
    return f"step-{step_number:03d}{'-' if slug else ''}{slug}.png"


def download_name(file: DownloadedFile) -> str:
    """Return the file name of a download, as `download-01-orders.csv`; any text can be the suggested name."""
    stem, dot, suffix = file.name.rpartition(".")
    slug = re.sub(r"[^A-Za-z0-9]+", "-", stem if dot else suffix).strip("-")[:60] or "file"
    ending = re.sub(r"[^A-Za-z0-9]+", "", suffix)[:10].lower() if dot else ""
    return f"download-{file.number:02d}-{slug}{'.' if ending else ''}{ending}"


def _without_secrets(data: bytes, secrets: Mapping[str, str]) -> bytes | None:
    try:
        return redact(data.decode(), secrets).encode() if secrets else data
    except UnicodeDecodeError:
        values = [value for value in secrets.values() if value.strip()]
        forms = (value.encode(encoding) for value in values for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
        return None if any(form in data for form in forms) else data


def _type_of(path: Path) -> str:
    return TYPES.get(path.suffix, "application/octet-stream")


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.write_bytes(data)
    except OSError:
        path.unlink(missing_ok=True)  # do not leave half a file
        raise
