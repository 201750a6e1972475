"""Files that are the same for everybody: style, script and drawn pictures of the products."""

from __future__ import annotations

from pathlib import Path

from examples.shop.catalogue import BY_SLUG
from examples.shop.markup import render
from examples.shop.views.layout import error_page
from examples.shop.web import Request, Response

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
# Read at start and looked up by name: no path from a request ever reaches the disk.
_FILES = {
    file.name: file.read_bytes() for file in (Path(__file__).parents[1] / "static").iterdir() if file.is_file()
}


def static(request: Request, name: str) -> Response:
    if name not in _FILES:
        return error_page(request, 404)
    return Response(body=_FILES[name], content_type=_TYPES[Path(name).suffix])


def picture(request: Request, name: str) -> Response:
    product = BY_SLUG.get(name.removesuffix(".svg"))
    if product is None:
        return error_page(request, 404)
    drawing = render(f"pictures/{product.picture}.svg", color=product.color)
    return Response(body=drawing.encode(), content_type=_TYPES[".svg"])


def health(_request: Request) -> Response:
    return Response(body=b"ok", content_type="text/plain; charset=utf-8")
