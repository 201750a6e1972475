"""Looking for secrets in everything that a run left."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from qa_queue.models import TestJobResult
from tests.support.running import ExecutionHarness


def everything(harness: ExecutionHarness, result: TestJobResult) -> Iterator[tuple[str, bytes]]:
    """Every text and file that a run left, archives unpacked."""
    run = result.test_run_id
    yield "result", result.model_dump_json().encode()
    yield "reports", "".join(r.model_dump_json() for r in harness.progress.reports).encode()
    rows: list[Any] = [
        harness.row(run),
        *harness.steps(run),
        *harness.artifacts(run),
        *harness.store.list_adaptations([run]),
    ]
    yield "rows", "".join(row.model_dump_json() for row in rows).encode()
    yield from contents(harness.artifacts_dir / run)


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The files below a folder, and those in its archives."""
    for file in folder.rglob("*.*"):
        if not file.is_file():
            continue
        data = file.read_bytes()
        yield file.name, data
        if file.suffix == ".zip":
            archive = zipfile.ZipFile(io.BytesIO(data))
            yield from ((f"{file.name}!{name}", archive.read(name)) for name in archive.namelist())


def codings(secret: str) -> set[bytes]:
    """The ways in which a secret could stand in a file."""
    texts = {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(secret, ensure_ascii=False))[1:-1],
        secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    }
    coded = {base64.b64encode(b"me:"[:n] + secret.encode())[4:-4] for n in range(4)}
    return {text.encode() for text in texts} | coded | {secret[:12].encode()}
