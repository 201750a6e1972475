"""The HTML report: one file without external requests, readable on a phone, in light and dark, by keyboard.

The read model is embedded as JSON and `assets/report.js` builds the page from it with text nodes only, so nothing
that a tested page said can become markup. A content security policy with hashes allows just this script and style.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from qa_queue.reports.causes import group
from qa_queue.reports.model import Evidence, Report, Test
from qa_queue.reports.texts import totals

PICTURES_BYTES = 20_000_000  # of all embedded pictures, before base64
_NOSCRIPT_ROWS = 500
_WEBP_QUALITY = 80


def _asset(name: str) -> str:
    return files("qa_queue.reports").joinpath("assets", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


_STYLE, _SCRIPT = _asset("report.css"), _asset("report.js")
POLICY = f"default-src 'none'; img-src data:; style-src '{_hash(_STYLE)}'; script-src '{_hash(_SCRIPT)}'"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main id="report"><noscript>{fallback}</noscript></main>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def html_report(report: Report, *, pictures_bytes: int = PICTURES_BYTES) -> str:
    """Return the report as one HTML file.

    Pictures are embedded, those of failed tests first, until `pictures_bytes` are used; the page states how many
    were left out. PNG pictures are converted to WebP where Pillow is installed (`qa-queue[reports]`).
    """
    document = report.model_dump(mode="json")
    embedder = _Embedder(pictures_bytes)
    embedded = {test.id: [embedder.document(file) for file in _files(test)] for test in _failures_first(report)}
    for test in document["tests"]:
        for attempt in test["attempts"]:
            attempt["evidence"] = [one for one in embedded[test["id"]] if one["attempt"] == attempt["number"]]
    document["totals"] = totals(report)
    document["causes"] = [
        {"title": cause.title, "kind": cause.kind, "tests": [test.id for test in cause.tests]}
        for cause in group(report.failures)
    ]
    document["pictures_left_out"] = embedder.left_out
    return _PAGE.format(
        title=html.escape(f"{report.title}: {report.outcome.label}"),
        style=_STYLE,
        script=_SCRIPT,
        policy=POLICY,
        fallback=_fallback(report),
        data=_json(document),
    )


class _Embedder:
    """Turns files into documents with data URLs until the budget is spent."""

    def __init__(self, budget: int) -> None:
        self._left = budget
        self.left_out = 0

    def document(self, file: Evidence) -> dict[str, Any]:
        found = file.model_dump(mode="json", exclude={"path"}) | {"available": file.path is not None}
        if file.is_picture and file.path is not None:
            content_type, data = _picture(Path(file.path), file.content_type)
            if data and len(data) <= self._left:
                self._left -= len(data)
                found["url"] = f"data:{content_type};base64,{base64.b64encode(data).decode()}"
            else:
                self.left_out += 1
        return found


def _picture(path: Path, content_type: str) -> tuple[str, bytes]:
    """Return the picture's content type and bytes, as WebP where that is smaller; no bytes if it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError:
        return content_type, b""
    smaller = _webp(data) if content_type == "image/png" else None
    return ("image/webp", smaller) if smaller and len(smaller) < len(data) else (content_type, data)


def _webp(data: bytes) -> bytes | None:
    try:
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError:
        return None
    target = io.BytesIO()
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.save(target, "WEBP", quality=_WEBP_QUALITY, method=4)
    except (OSError, ValueError, UnidentifiedImageError):
        return None
    return target.getvalue()


def _files(test: Test) -> list[Evidence]:
    return [file for attempt in test.attempts for file in attempt.evidence]


def _failures_first(report: Report) -> list[Test]:
    return sorted(report.tests, key=lambda test: not test.outcome.bad)


def _fallback(report: Report) -> str:
    """Return a plain table for browsers without scripts."""
    rows = "".join(map(_row, _failures_first(report)[:_NOSCRIPT_ROWS]))
    return f"<h1>{html.escape(report.title)}</h1><p>{html.escape(totals(report))}</p><table>{rows}</table>"


def _row(test: Test) -> str:
    cells = (test.name, test.outcome.label, test.error or "")
    return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def _json(document: dict[str, Any]) -> str:
    """Serialize so that no text can end the script element."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
