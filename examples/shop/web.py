"""Requests and responses as values, and the reading of form bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.parser import HeaderParser
from typing import Any
from urllib.parse import parse_qsl

from examples.shop.session import Session

MAX_FIELD = 2_000  # characters of one form field that are kept


class FormError(ValueError):
    """A body cannot be read as a form."""


@dataclass(frozen=True)
class UploadedFile:
    """A file from a multipart form; `size` in bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class Form:
    """The fields and files of a body; the last value of a name wins."""

    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, UploadedFile] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Request:
    """The request that a view answers."""

    session: Session
    password: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, UploadedFile] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Response:
    """An answer; it is held back for `delay_ms` before it is sent."""

    body: bytes = b""
    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    location: str | None = None
    delay_ms: int = 0


def redirect(location: str) -> Response:
    """See Other: the answer to every POST that worked."""
    return Response(status=303, location=location)


def as_json(value: Any, *, status: int = 200, delay_ms: int = 0) -> Response:
    body = json.dumps(value).encode()
    return Response(body=body, status=status, content_type="application/json", delay_ms=delay_ms)


def parse_query(text: str) -> dict[str, str]:
    """The fields of a query string or urlencoded body, cut to `MAX_FIELD` characters."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise FormError(str(error)) from None
    return {name: value[:MAX_FIELD] for name, value in pairs}


def parse_form(content_type: str, body: bytes) -> Form:
    """Read a urlencoded or multipart body.

    Raises:
        FormError: it is neither.
    """
    header = Message()
    header["Content-Type"] = content_type
    if header.get_content_type() == "application/x-www-form-urlencoded":
        return Form(parse_query(body.decode("utf-8", "replace")))
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/form-data" or not boundary:
        raise FormError("a form has to be urlencoded or multipart/form-data")
    return _parse_multipart(body, boundary)


def _parse_multipart(body: bytes, boundary: str) -> Form:
    fields: dict[str, str] = {}
    files: dict[str, UploadedFile] = {}
    delimiter = b"\r\n--" + boundary.encode("utf-8", "replace")
    for part in (b"\r\n" + body).split(delimiter)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = HeaderParser().parsestr(head.decode("utf-8", "replace"))
        name = str(headers.get_param("name", "", "content-disposition"))
        file_name = headers.get_param("filename", None, "content-disposition")
        if file_name is None:
            fields[name] = content.decode("utf-8", "replace")[:MAX_FIELD]
        elif file_name:
            files[name] = UploadedFile(str(file_name)[:200], len(content))
    return Form(fields, files)
