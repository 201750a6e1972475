"""Files and texts of pytest tests as artifacts of their run, without secrets."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from processors.base import Services
from processors.execution.artifacts import ArtifactRecorder
from processors.execution.plan import RunPlan
from processors.execution.redaction import redact, redact_har, redact_json, redact_trace
from processors.suites.results import SuiteTest
from qa_queue.errors import EvidenceError
from qa_queue.models import ArtifactKind
from qa_queue.reports.phases import masked

_KINDS = {
    ".png": ArtifactKind.SCREENSHOT,
    ".jpeg": ArtifactKind.SCREENSHOT,
    ".jpg": ArtifactKind.SCREENSHOT,
    ".webm": ArtifactKind.VIDEO,
    ".zip": ArtifactKind.TRACE,
    ".har": ArtifactKind.HAR,
}


class SuiteEvidence:
    """The artifacts of one try: the files that its tests recorded, and what they printed, in `console.jsonl`."""

    def __init__(self, plan: RunPlan, attempt: int, test_try: int, services: Services) -> None:
        self._secrets = plan.secrets
        self._plan, self._test_try = plan.evidence, test_try
        self._most_bytes = services.settings.evidence_bytes
        self._recorder = ArtifactRecorder(services, plan.run_id, attempt, secrets=plan.secrets)
        self._texts: list[dict[str, str]] = []

    @property
    def notes(self) -> list[str]:
        """Artifacts that could not be stored, each with the reason."""
        return self._recorder.notes

    @property
    def excess(self) -> str | None:
        """The reason for which a try with too many files fails; None while they are not."""
        return self._recorder.excess

    async def collect(self, test: SuiteTest, folder: Path, step_number: int | None, *, alone: bool) -> None:
        """Store the files in the output folder of a test that has ended, and remember its texts."""
        self._texts += [
            {"type": "section", "test": test.id, "title": title, "text": masked(text)}
            for title, text in _sections(test)
        ]
        prefix = "" if alone else f"{test.place:03d}-"
        for name, path in await asyncio.to_thread(_named, folder, prefix):
            kind = _KINDS[path.suffix]
            if kind not in self._plan.given or self._plan.keeps(kind, self._test_try, good=not test.outcome.bad):
                await self._keep(kind, name, path, step_number)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _keep(self, kind: ArtifactKind, name: str, path: Path, step_number: int | None) -> None:
        try:
            data = await asyncio.to_thread(
                _clean, path, self._secrets, self._most_bytes, videos=not self._plan.secrets
            )
        except (EvidenceError, OSError, ValueError, zipfile.BadZipFile) as error:
            self.notes.append(f"{name} was not stored: {redact(str(error), self._secrets)}")
            return
        await self._recorder.keep(kind, name, data, step_number)

    async def keep_texts(self) -> None:
        """Store what the tests printed, with the tracebacks of those that failed."""
        if self._texts:
            lines = [json.dumps(redact_json(one, self._secrets), ensure_ascii=False) for one in self._texts]
            await self._recorder.keep(ArtifactKind.CONSOLE, "console.jsonl", "\n".join([*lines, ""]).encode())


def _sections(test: SuiteTest) -> Iterator[tuple[str, str]]:
    if traceback := "\n\n".join(phase.traceback for phase in test.phases.values() if phase.failed):
        yield "Traceback", traceback
    last = list(test.phases.values())[-1]
    yield from ((str(title), str(text)) for title, text in last.sections)


def _named(folder: Path, prefix: str) -> list[tuple[str, Path]]:
    """Return the files that are evidence, each with a name that is unique in its folder."""
    named: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix not in _KINDS or not path.is_file() or path.is_symlink():
            continue
        name, number = f"{prefix}{path.name}", 1
        while name in named:
            number += 1
            name = f"{prefix}{path.stem}-{number}{path.suffix}"
        named[name] = path
    return list(named.items())


def _clean(path: Path, secrets: Mapping[str, str], most_bytes: int, *, videos: bool) -> bytes:
    """Return the file's bytes; those of a trace or a HAR file without the secrets.

    Raises:
        EvidenceError: it is too large, or a video where there may be none (`videos`).
        OSError, zipfile.BadZipFile: the file cannot be read, so its secrets could not be masked.
    """
    if path.stat().st_size > most_bytes:
        raise EvidenceError(f"it is larger than {most_bytes >> 20} MiB (QA_EVIDENCE_MAX_MB)")
    if path.suffix == ".webm" and not videos:
        raise EvidenceError("it cannot be searched for the secrets that the run has")
    if path.suffix == ".har":
        return redact_har(path, secrets)
    if path.suffix != ".zip" or not secrets:
        return path.read_bytes()
    with tempfile.TemporaryDirectory(prefix="qa-trace-") as scratch:
        clean = Path(scratch, "clean.zip")
        redact_trace(path, clean, secrets)
        return clean.read_bytes()
