"""Secrets leave texts, JSON and traces, whatever they are coded in."""

from __future__ import annotations

import base64
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.execution.redaction import redact, redact_json, redact_trace

SECRETS = {"KEY": 'a "b"&ü/42'}
VALUE = SECRETS["KEY"]


def trace(path: Path, **entries: bytes) -> Path:
    """An archive of these entries; `__` stands for the dot."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "."), content)
    return path


def redacted(tmp_path: Path, secrets: dict[str, str], **entries: bytes) -> dict[str, bytes]:
    """The entries after redaction."""
    target = tmp_path / "clean.zip"
    redact_trace(trace(tmp_path / "raw.zip", **entries), target, secrets)
    with zipfile.ZipFile(target) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@given(before=st.binary(max_size=5), after=st.binary(max_size=5), secret=st.text(min_size=8, max_size=20))
def test_base64_hides_nothing(before: bytes, after: bytes, secret: str) -> None:
    """A secret inside base64 of something longer is masked wherever it begins; what is left is its surroundings."""
    if secret.strip() != secret or not secret.isprintable():
        return
    coded = base64.b64encode(before + secret.encode() + after).decode()
    rest = redact(coded, {"KEY": secret})
    assert "***" in rest
    assert len(rest.replace("***", "").rstrip("=")) <= (len(before) + len(after)) * 4 / 3 + 3


@pytest.mark.parametrize("value", [VALUE, {"a": [f"x{VALUE}x", 1]}, {VALUE: None}, [json.dumps({"in": VALUE})]])
def test_json_loses_its_secrets(value: Any) -> None:
    """Texts, keys, and JSON within JSON."""
    assert VALUE not in json.dumps(redact_json(value, SECRETS), ensure_ascii=False).replace("\\", "")


def test_numbers_of_json_stay() -> None:
    """A secret of digits does not break a document."""
    assert redact_json({"time": 12345.5, "text": "is 12345"}, {"PIN": "12345"}) == {
        "time": 12345.5,
        "text": "is ***",
    }


def test_a_trace_is_rewritten(tmp_path: Path) -> None:
    """Lines of JSON stay JSON, other texts are masked as text, pictures are left alone."""
    line = json.dumps({"time": 4242.5, "value": "pin 4242"})
    picture = b"\xff\xd8\xff 4242"
    clean = redacted(
        tmp_path, {"PIN": "4242"}, trace__trace=f"{line}\n{{}}\n".encode(), page__html=b"<p>4242", a__jpeg=picture
    )
    assert json.loads(clean["trace.trace"].splitlines()[0]) == {"time": 4242.5, "value": "pin ***"}
    assert clean["page.html"] == b"<p>***"
    assert clean["a.jpeg"] == picture


def test_bytes_that_are_not_text_come_back_unchanged(tmp_path: Path) -> None:
    """A form with a file in it is neither dropped nor damaged beside the secret."""
    body = b"\xfe\x00--x\r\n" + VALUE.encode() + b"\xff\xfe"
    assert redacted(tmp_path, SECRETS, body=body)["body"] == b"\xfe\x00--x\r\n***\xff\xfe"


def test_a_line_that_is_not_json_is_masked_as_text(tmp_path: Path) -> None:
    """Whatever a later Playwright writes, a secret does not pass."""
    assert redacted(tmp_path, {"KEY": "hunter2"}, trace__trace=b"{broken hunter2")["trace.trace"] == b"{broken ***"
