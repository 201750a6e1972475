"""Recordings of traffic."""

from __future__ import annotations

import json
from typing import Any

import pytest

from processors.browser.recording import Recording


def entry(url: str, text: str, *, post: str | None = None, **content: Any) -> dict[str, Any]:
    request: dict[str, Any] = {"method": "POST" if post else "GET", "url": url}
    if post:
        request["postData"] = {"text": post}
    headers = [{"name": "Content-Encoding", "value": "gzip"}, {"name": "X-A", "value": "1"}]
    return {
        "request": request,
        "response": {"status": 200, "headers": headers, "content": {"text": text, **content}},
    }


def har(*entries: dict[str, Any]) -> str:
    return json.dumps({"log": {"entries": entries}})


def test_a_request_finds_its_response() -> None:
    """By method and URL without a fragment; headers that describe the transfer are left out."""
    found = Recording(har(entry("http://a.example/x", "one", mimeType="text/plain"))).find(
        "GET", "http://a.example/x#top", None
    )
    assert found is not None
    assert (found.status, found.body) == (200, b"one")
    assert found.headers == {"x-a": "1", "content-type": "text/plain"}


def test_the_response_to_the_same_body_is_preferred() -> None:
    recording = Recording(har(entry("http://a.example/", "1", post="a"), entry("http://a.example/", "2", post="b")))
    assert [recording.find("POST", "http://a.example/", sent).body for sent in ("b", "a", "c")] == [
        b"2",
        b"1",
        b"1",
    ]  # type: ignore[union-attr]


def test_a_binary_body_is_decoded() -> None:
    found = Recording(har(entry("http://a.example/", "AAEC", encoding="base64"))).find(
        "GET", "http://a.example/", None
    )
    assert found is not None
    assert found.body == b"\x00\x01\x02"


def test_an_unknown_request_has_no_response() -> None:
    assert Recording(har()).find("GET", "http://a.example/", None) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"log": {"entries": [{}]}}', '{"log": {"entries": 7}}', "null"])
def test_what_is_not_a_recording_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a HAR file"):
        Recording(text)


def test_bodies_in_other_files_are_refused() -> None:
    """They would be paths on the worker."""
    with pytest.raises(ValueError, match="keeps bodies in other files"):
        Recording(har(entry("http://a.example/", "", _file="../../.env")))
