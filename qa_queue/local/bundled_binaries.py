"""Binaries that arrive inside Python packages. Located by the packages' file lists, never by importing them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


def binary_in_wheel(package: str, ending: str) -> Path | None:
    """The file of an installed package whose path ends so, or None."""
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files if file.as_posix().endswith(ending))
    return next((path for path in found if path.is_file()), None)
