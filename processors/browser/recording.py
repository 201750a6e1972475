"""Recordings of traffic as HAR files (HTTP Archive 1.2): the response to a request. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 50_000_000
_NOT_REPLAYED = ("content-encoding", "content-length", "transfer-encoding", "connection")


@dataclass(frozen=True, kw_only=True)
class RecordedResponse:
    """A response of a recording, and the body of the request that it belongs to."""

    post_data: str | None
    status: int
    headers: Mapping[str, str]
    body: bytes


class Recording:
    """The responses of a HAR file by method and URL.

    Raises:
        ValueError: the text is not a HAR file, or keeps its bodies in other files.
    """

    def __init__(self, text: str) -> None:
        try:
            entries = json.loads(text)["log"]["entries"]
            self._responses: dict[tuple[str, str], list[RecordedResponse]] = {}
            for entry in entries:
                key = entry["request"]["method"], entry["request"]["url"]
                self._responses.setdefault(key, []).append(_response(entry))
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"it is not a HAR file ({type(error).__name__}: {error})") from None

    def find(self, method: str, url: str, post_data: str | None) -> RecordedResponse | None:
        """Return the response to a request: the first of those with the same body, else the first."""
        found = self._responses.get((method, url.partition("#")[0]), [])
        same = [one for one in found if one.post_data == post_data]
        return next(iter([*same, *found]), None)


def _response(entry: Any) -> RecordedResponse:
    response, content = entry["response"], entry["response"].get("content", {})
    if "_file" in content:
        raise ValueError("it keeps bodies in other files: record it with content embedded")
    text = content.get("text", "")
    body = base64.b64decode(text) if content.get("encoding") == "base64" else text.encode()
    headers = {item["name"].lower(): item["value"] for item in response.get("headers", ())}
    if content.get("mimeType"):
        headers.setdefault("content-type", content["mimeType"])
    return RecordedResponse(
        post_data=(entry["request"].get("postData") or {}).get("text"),
        status=response["status"],
        headers={name: value for name, value in headers.items() if name not in _NOT_REPLAYED},
        body=body,
    )
