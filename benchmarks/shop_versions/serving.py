"""Serving a version: the shop answers, and its pages, script and style are changed on their way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

from bs4 import BeautifulSoup

from benchmarks.shop_versions.mutation import Mutation
from benchmarks.shop_versions.truth import annotate
from benchmarks.shop_versions.versions import Version
from examples.shop import serve
from examples.shop.routes import Answer, answer
from examples.shop.web import Request, Response


def mutated_page(mutation: Mutation, path: str, html: str) -> str:
    """A page of the shop as this mutation has it, with the keys of the original in it."""
    soup = BeautifulSoup(html, "html.parser")
    annotate(soup, path)
    mutation.page(soup, path)
    return str(soup)


def mutated_answer(mutation: Mutation) -> Answer:
    """The shop's answers, changed; the same answer is worked out once."""
    change = cache(lambda path, kind, body: _changed(mutation, path, kind, body))

    def mutated(method: str, path: str, request: Request) -> Response:
        response = answer(method, path, request)
        return replace(response, body=change(path, response.content_type.partition(";")[0], response.body))

    return mutated


@contextmanager
def serve_version(version: Version, port: int = 0) -> Iterator[str]:
    """The URL of this version of the shop while the block runs."""
    with serve(port, answer=mutated_answer(version.mutate)) as shop:
        yield shop.url


def _changed(mutation: Mutation, path: str, kind: str, body: bytes) -> bytes:
    changes: dict[str, Callable[[str], str]] = {
        "text/html": lambda text: mutated_page(mutation, path, text),
        "text/javascript": mutation.script,
        "text/css": mutation.style,
    }
    return changes[kind](body.decode()).encode() if kind in changes and body else body
