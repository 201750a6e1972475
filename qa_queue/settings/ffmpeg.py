"""The program with which Playwright records videos.

Host processes load this file by its path, so it imports the standard library alone.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

_NAMES = {"linux": "ffmpeg-linux", "darwin": "ffmpeg-mac"}
_CACHES = {"linux": ".cache", "darwin": "Library/Caches"}


def provide_ffmpeg() -> Path | None:
    """Return Playwright's ffmpeg; without one, link another of this machine to its place.

    That is the one of the package imageio-ffmpeg, or else of the PATH. None without any, or without Playwright.
    """
    expected = _expected(os.environ)
    if expected is None or expected.exists():
        return expected
    found = _of_package() or shutil.which("ffmpeg")
    if found is None:
        return None
    with contextlib.suppress(OSError):  # another process was faster, or the folder cannot be written to
        expected.parent.mkdir(parents=True, exist_ok=True)
        expected.symlink_to(found)
    return expected


def _expected(environment: Mapping[str, str]) -> Path | None:
    """Return the path at which the installed Playwright looks for its ffmpeg."""
    found = importlib.util.find_spec("playwright")
    if found is None or found.origin is None or sys.platform not in _NAMES:
        return None
    driver = Path(found.origin).parent / "driver" / "package"
    try:
        browsers = json.loads((driver / "browsers.json").read_text(encoding="utf-8"))["browsers"]
        revision = next(one["revision"] for one in browsers if one["name"] == "ffmpeg")
    except (OSError, ValueError, KeyError, StopIteration):
        return None
    home = Path(environment.get("XDG_CACHE_HOME") or Path.home() / _CACHES[sys.platform])
    chosen = environment.get("PLAYWRIGHT_BROWSERS_PATH")
    place = driver / ".local-browsers" if chosen == "0" else Path(chosen or home / "ms-playwright")
    return place / f"ffmpeg-{revision}" / _NAMES[sys.platform]


def _of_package() -> str | None:
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        return None
    package = importlib.import_module("imageio_ffmpeg")
    try:
        path: str = package.get_ffmpeg_exe()
    except RuntimeError:  # it has none for this machine
        return None
    return path
