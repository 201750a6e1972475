"""Comparison of pictures. Pure.

`pybind11-pixelmatch` decides which pixels differ for the eye, as Playwright's own comparison does: by colour, and
without pixels that only smooth an edge. It comes with the extra `screenshots`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from qa_queue.errors import InputError

_MISSING = "comparing screenshots needs the extra `screenshots`: pip install 'qa-queue[screenshots]' on the worker"


@dataclass(frozen=True, kw_only=True)
class PictureDifference:
    """The difference of two pictures: in words, in pixels of `total`, and as a PNG where they have one size."""

    text: str
    pixels: int
    total: int
    image: bytes | None = None


def difference_of(expected: bytes, actual: bytes, threshold: float) -> PictureDifference | None:
    """Return the difference of two PNGs; None where every pixel is alike.

    Raises:
        InputError: the libraries are not installed, or one of them is not a picture.
    """
    if expected == actual:
        return None
    one, other = _pixels(expected), _pixels(actual)
    if one.size != other.size:
        text = f"a picture of {other.width}x{other.height} px instead of {one.width}x{one.height} px"
        return PictureDifference(text=text, pixels=one.width * one.height, total=one.width * one.height)
    return _compared(one, other, threshold)


def _pixels(data: bytes) -> Any:
    try:
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError(_MISSING) from None
    try:
        return Image.open(io.BytesIO(data)).convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError):
        raise InputError("the baseline is not a picture: write it anew with --update-screenshots") from None


def _compared(one: Any, other: Any, threshold: float) -> PictureDifference | None:
    try:
        from pybind11_pixelmatch import Options, pixelmatch  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError(_MISSING) from None
    options = Options()
    options.threshold = threshold
    marked = bytearray(one.width * one.height * 4)
    count = pixelmatch(_buffer(one), _buffer(other), output=_shaped(marked, one), options=options)
    if not count:
        return None
    total = one.width * one.height
    text = f"{count} of {total} pixels differ ({count / total:.2%})"
    return PictureDifference(text=text, pixels=count, total=total, image=_png(one.size, bytes(marked)))


def _buffer(picture: Any) -> memoryview:
    return _shaped(bytearray(picture.tobytes()), picture)


def _shaped(data: bytearray, picture: Any) -> memoryview:
    return memoryview(data).cast("B", [picture.height, picture.width, 4])


def _png(size: tuple[int, int], data: bytes) -> bytes:
    from PIL import Image  # noqa: PLC0415 - an extra

    stream = io.BytesIO()
    Image.frombytes("RGBA", size, data).convert("RGB").save(stream, "PNG")
    return stream.getvalue()
