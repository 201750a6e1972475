"""Redaction of secrets in texts, JSON and trace files."""

from __future__ import annotations

import base64
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from processors.browser.protocol import StepOutcome
from qa_queue.cases.texts import MASK, holds_secret, mask
from qa_queue.models import ErrorKind

_JSON_LINES = (".trace", ".network", ".stacks")
# Images, fonts and videos: compressed, so a match in their bytes would be a coincidence.
_COMPRESSED = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"wOFF", b"wOF2", b"\x1aE\xdf\xa3", b"\x1f\x8b")
LEAST_UNREADABLE = 8  # characters of a secret that no step may read back
_LEAST_BASE64 = 6  # shorter forms occur by coincidence


def redact(text: str, secrets: Mapping[str, str]) -> str:
    """Return the text with every secret masked, also in URL, JSON, HTML or base64 encoding."""
    masked = mask(text, secrets)
    pattern = _base64_pattern(tuple(sorted(secrets.values())))
    return pattern.sub(MASK, masked) if pattern else masked


def redact_json(value: Any, secrets: Mapping[str, str]) -> Any:
    """Return JSON with every text redacted; numbers stay, so that a secret of digits cannot break it."""
    match value:
        case str():
            return redact(value, secrets)
        case list():
            return [redact_json(item, secrets) for item in value]
        case dict():
            return {redact(key, secrets): redact_json(item, secrets) for key, item in value.items()}
    return value


def without_saved_secrets(outcome: StepOutcome, secrets: Mapping[str, str]) -> StepOutcome:
    """Return the outcome of a step; one that saved a secret fails and saves nothing.

    Values of a few characters, such as a user's name, may be on any page, and protect nothing.
    """
    long = {name: value for name, value in secrets.items() if len(value) >= LEAST_UNREADABLE}
    if not outcome.saved or not holds_secret(json.dumps(dict(outcome.saved), ensure_ascii=False), long):
        return outcome
    error = (
        "what the step reads contains a secret, which a later step could send anywhere: only `qa-queue run FILE` "
        "may read it"
    )
    return replace(outcome, saved={}, error=outcome.error or error, kind=outcome.kind or ErrorKind.INPUT)


def redact_trace(source: Path, target: Path, secrets: Mapping[str, str]) -> None:
    """Copy a Playwright trace with every entry redacted.

    Raises:
        OSError, zipfile.BadZipFile: a file cannot be read or written.
    """
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(redact(name, secrets), _redact_entry(name, old.read(name), secrets))


def redact_har(source: Path, secrets: Mapping[str, str]) -> bytes:
    """Return a HAR file with every text redacted; one that is cut off or damaged is redacted as plain text.

    Raises:
        OSError: the file cannot be read.
    """
    text = source.read_bytes().decode("utf-8", "surrogateescape")
    try:
        return json.dumps(redact_json(json.loads(text), secrets), ensure_ascii=False).encode(
            "utf-8", "surrogateescape"
        )
    except (ValueError, RecursionError):
        return redact(text, secrets).encode("utf-8", "surrogateescape")


def _redact_entry(name: str, content: bytes, secrets: Mapping[str, str]) -> bytes:
    if content.startswith(_COMPRESSED) or content[8:12] == b"WEBP":
        return content
    text = content.decode("utf-8", "surrogateescape")  # bytes that are not text are restored
    if name.endswith(_JSON_LINES):
        redacted = "\n".join(_redact_line(line, secrets) for line in text.split("\n"))
    else:
        redacted = redact(text, secrets)
    return redacted.encode("utf-8", "surrogateescape")


def _redact_line(line: str, secrets: Mapping[str, str]) -> str:
    if redact(line, secrets) == line:  # most lines
        return line
    try:
        return json.dumps(redact_json(json.loads(line), secrets), ensure_ascii=False, separators=(",", ":"))
    except ValueError:
        return redact(line, secrets)


@lru_cache(maxsize=64)
def _base64_pattern(values: tuple[str, ...]) -> re.Pattern[str] | None:
    forms = {form for value in values for form in _base64_forms(value) if len(form) >= _LEAST_BASE64}
    return re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))) if forms else None


def _base64_forms(value: str) -> Iterator[str]:
    """Yield the forms of a text within the base64 of a longer one, for each of the three possible offsets.

    Characters at its ends are omitted, because they also depend on its neighbours.
    """
    data = value.encode()
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + data).decode().rstrip("=")
        first = -(-offset * 8 // 6)
        whole = (offset + len(data)) * 8 // 6
        yield coded[first:whole]
        yield coded[first:whole].translate(str.maketrans("+/", "-_"))
